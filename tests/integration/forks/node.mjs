// A JSON-RPC node of one process over EthereumJS, for forks that anvil does not know.
//
//   node node.mjs --port 8545 --hardfork amsterdam [--block-time SECONDS]
//
// It executes transactions by EthereumJS's EVM under the rules of the fork, and speaks what Mintline's services and tests
// ask of a node, some of anvil's own methods included. There are no peers, no state roots and no reorganisations; blocks are
// final two blocks later. Without a block time, each transaction is mined at once.

import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createBlock } from '@ethereumjs/block'
import { Mainnet, createCustomCommon } from '@ethereumjs/common'
import { createFeeMarket1559Tx, createTxFromRLP } from '@ethereumjs/tx'
import {
  Account,
  bigIntToHex,
  bytesToHex,
  createAddressFromPrivateKey,
  createAddressFromString,
  createBlockLevelAccessList,
  hexToBytes,
  setLengthLeft,
} from '@ethereumjs/util'
import { createVM, runTx } from '@ethereumjs/vm'

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    hardfork: { type: 'string' },
    'block-time': { type: 'string', default: '0' },
  },
})
const CHAIN_ID = 31337
const GAS_LIMIT = 60_000_000n
const CAP = 2n ** 24n // EIP-7825
const BASE_FEE = 10n ** 9n
const TIP = 10n ** 9n
const FINALITY = 2
const RICH = 10_000n * 10n ** 18n
const COINBASE = createAddressFromString('0x00000000000000000000000000000000000c01ba')

const common = createCustomCommon({ chainId: CHAIN_ID }, Mainnet, { hardfork: options.hardfork })
const vm = await createVM({ common })
// Since Amsterdam the cap is on computation; gas for new state may come on top (EIP-8037).
const MOST = common.isActivatedEIP(8037) ? GAS_LIMIT : CAP

const keys = new Map()
for (let number = 1; number <= 10; number += 1) {
  const key = setLengthLeft(new Uint8Array([number]), 32)
  const address = createAddressFromPrivateKey(key)
  keys.set(address.toString(), key)
  await setBalance(address, RICH)
}
await setBalance(COINBASE, 1n) // so that no transaction pays for its account

const blocks = []
const byHash = new Map()
const mined = new Map() // transaction hash -> receipt
const pool = new Map() // `${sender} ${nonce}` -> transaction
let snapshots = []
let aheadBy = 0

class RpcError extends Error {
  constructor(code, message, data) {
    super(message)
    this.code = code
    this.data = data
  }
}

async function accountOf(address) {
  return (await vm.stateManager.getAccount(address)) ?? new Account()
}

async function setBalance(address, balance) {
  const account = await accountOf(address)
  account.balance = balance
  await vm.stateManager.putAccount(address, account)
}

function open(number) {
  const parent = blocks.at(-1)
  const now = Math.floor(Date.now() / 1000) + aheadBy
  const header = {
    number,
    parentHash: parent?.block.hash(),
    timestamp: BigInt(parent ? Math.max(now, Number(parent.block.header.timestamp) + 1) : now),
    gasLimit: GAS_LIMIT,
    baseFeePerGas: BASE_FEE,
    coinbase: COINBASE,
  }
  return header
}

function prepare() {
  if (common.isActivatedEIP(7928)) vm.evm.blockLevelAccessList = createBlockLevelAccessList()
}

async function mine() {
  const header = open(blocks.length)
  const block = createBlock({ header }, { common })
  const results = []
  let gasUsed = 0n
  const bloom = new Uint8Array(256)
  const waiting = [...pool.values()].sort((a, b) => Number(a.nonce - b.nonce))
  for (const tx of waiting) {
    const sender = tx.getSenderAddress()
    const { nonce, balance } = await accountOf(sender)
    if (tx.nonce !== nonce || tx.maxFeePerGas < BASE_FEE || balance < tx.gasLimit * tx.maxFeePerGas + tx.value) continue
    if (gasUsed + tx.gasLimit > GAS_LIMIT) continue
    pool.delete(`${sender} ${tx.nonce}`)
    prepare()
    const result = await runTx(vm, { tx, block })
    gasUsed += result.totalGasSpent
    result.receipt.bitvector.forEach((byte, at) => (bloom[at] |= byte))
    results.push({ tx, sender, result })
  }
  const sealed = createBlock({ header: { ...header, gasUsed, logsBloom: bloom } }, { common })
  const hash = bytesToHex(sealed.hash())
  const entry = { block: sealed, hash, transactions: [], receipts: [], logs: [] }
  for (const [index, { tx, sender, result }] of results.entries()) {
    const place = {
      blockHash: hash,
      blockNumber: bigIntToHex(sealed.header.number),
      transactionHash: bytesToHex(tx.hash()),
      transactionIndex: bigIntToHex(BigInt(index)),
    }
    const logs = result.receipt.logs.map(([address, topics, data]) => {
      const log = { address: bytesToHex(address), topics: topics.map((topic) => bytesToHex(topic)), data: bytesToHex(data) }
      entry.logs.push(Object.assign(log, place, { logIndex: bigIntToHex(BigInt(entry.logs.length)), removed: false }))
      return log
    })
    const receipt = {
      ...place,
      from: sender.toString(),
      to: tx.to?.toString() ?? null,
      contractAddress: result.createdAddress?.toString() ?? null,
      status: result.execResult.exceptionError === undefined ? '0x1' : '0x0',
      gasUsed: bigIntToHex(result.totalGasSpent),
      cumulativeGasUsed: bigIntToHex(result.totalGasSpent),
      effectiveGasPrice: bigIntToHex(BASE_FEE + TIP),
      type: '0x2',
      logsBloom: bytesToHex(result.receipt.bitvector),
      logs,
    }
    entry.transactions.push(shownTransaction(tx, sender, place))
    entry.receipts.push(receipt)
    mined.set(place.transactionHash, receipt)
  }
  blocks.push(entry)
  byHash.set(hash, entry)
}

function shownTransaction(tx, sender, { blockHash = null, blockNumber = null, transactionIndex = null } = {}) {
  return {
    hash: bytesToHex(tx.hash()),
    from: sender.toString(),
    to: tx.to?.toString() ?? null,
    nonce: bigIntToHex(tx.nonce),
    gas: bigIntToHex(tx.gasLimit),
    value: bigIntToHex(tx.value),
    input: bytesToHex(tx.data),
    maxFeePerGas: bigIntToHex(tx.maxFeePerGas),
    maxPriorityFeePerGas: bigIntToHex(tx.maxPriorityFeePerGas),
    type: '0x2',
    chainId: bigIntToHex(BigInt(CHAIN_ID)),
    blockHash,
    blockNumber,
    transactionIndex,
  }
}

async function admit(tx) {
  const sender = tx.getSenderAddress()
  const place = `${sender} ${tx.nonce}`
  const hash = bytesToHex(tx.hash())
  const present = pool.get(place)
  const { nonce, balance } = await accountOf(sender)
  if (present !== undefined && bytesToHex(present.hash()) === hash) throw new RpcError(-32000, 'already known')
  if (tx.nonce < nonce) throw new RpcError(-32000, `nonce too low: next nonce ${nonce}, tx nonce ${tx.nonce}`)
  if (tx.gasLimit > GAS_LIMIT) throw new RpcError(-32000, 'exceeds block gas limit')
  if (tx.gasLimit < tx.getIntrinsicGas()) throw new RpcError(-32000, 'intrinsic gas too low')
  if (balance < tx.gasLimit * tx.maxFeePerGas + tx.value) {
    throw new RpcError(-32000, 'insufficient funds for gas * price + value')
  }
  if (present !== undefined && tx.maxFeePerGas * 10n < present.maxFeePerGas * 11n) {
    throw new RpcError(-32000, 'replacement transaction underpriced')
  }
  pool.set(place, tx)
  if (Number(options['block-time']) === 0) await mine()
  return hash
}

// Runs a call as a transaction of its sender, on the newest state, and undoes it.
async function attempt(call, gas, overrides) {
  await vm.stateManager.checkpoint()
  try {
    for (const [name, override] of Object.entries(overrides ?? {})) await applyOverride(name, override)
    const sender = createAddressFromString(call.from ?? COINBASE.toString())
    const data = {
      to: call.to,
      data: call.input ?? call.data ?? '0x',
      value: call.value ?? '0x0',
      gasLimit: gas,
      maxFeePerGas: BASE_FEE,
      nonce: (await accountOf(sender)).nonce,
      chainId: CHAIN_ID,
    }
    const tx = createFeeMarket1559Tx(data, { common, freeze: false })
    tx.getSenderAddress = () => sender
    const balance = (await accountOf(sender)).balance
    if (balance < tx.value) throw new RpcError(-32000, 'insufficient funds for transfer')
    await setBalance(sender, balance + gas * BASE_FEE)
    prepare()
    return await runTx(vm, { tx, block: createBlock({ header: open(blocks.length) }, { common }) })
  } catch (error) {
    if (error instanceof RpcError) throw error
    throw new RpcError(-32000, /INTRINSIC/.test(error.message) ? 'intrinsic gas too low' : error.message)
  } finally {
    await vm.stateManager.revert()
    vm.stateManager.originalStorageCache.clear()
  }
}

async function applyOverride(name, { balance, nonce, code, stateDiff }) {
  const address = createAddressFromString(name)
  const account = await accountOf(address)
  if (balance !== undefined) account.balance = BigInt(balance)
  if (nonce !== undefined) account.nonce = BigInt(nonce)
  await vm.stateManager.putAccount(address, account)
  if (code !== undefined) await vm.stateManager.putCode(address, hexToBytes(code))
  for (const [slot, value] of Object.entries(stateDiff ?? {})) {
    await vm.stateManager.putStorage(address, hexToBytes(slot), hexToBytes(value))
  }
}

function refuse({ execResult }) {
  const { exceptionError, returnValue } = execResult
  if (exceptionError === undefined) return
  if (exceptionError.error === 'revert') throw new RpcError(3, 'execution reverted', bytesToHex(returnValue))
  throw new RpcError(-32000, exceptionError.error)
}

async function succeeds(call, gas, overrides) {
  try {
    return (await attempt(call, gas, overrides)).execResult.exceptionError === undefined
  } catch (error) {
    if (error.message === 'intrinsic gas too low') return false
    throw error
  }
}

async function estimate(call, overrides) {
  const most = call.gas === undefined ? MOST : BigInt(call.gas)
  const result = await attempt(call, most, overrides)
  refuse(result)
  let low = result.totalGasSpent - 1n
  if (await succeeds(call, low + 1n, overrides)) return low + 1n
  let high = most
  while (high - low > low / 1000n + 1n) {
    const middle = low * 2n < high ? low * 2n : (low + high) / 2n
    if (await succeeds(call, middle, overrides)) high = middle
    else low = middle
  }
  return high
}

function blockAt(tag) {
  const head = blocks.length - 1
  if (tag === 'latest' || tag === 'pending' || tag === undefined) return blocks[head]
  if (tag === 'finalized' || tag === 'safe') return blocks[Math.max(0, head - FINALITY)]
  if (tag === 'earliest') return blocks[0]
  return blocks[Number(tag)]
}

function shownBlock(entry, full) {
  if (entry === undefined) return null
  const { header } = entry.block
  return {
    number: bigIntToHex(header.number),
    hash: entry.hash,
    parentHash: bytesToHex(header.parentHash),
    timestamp: bigIntToHex(header.timestamp),
    gasLimit: bigIntToHex(header.gasLimit),
    gasUsed: bigIntToHex(header.gasUsed),
    baseFeePerGas: bigIntToHex(BASE_FEE),
    logsBloom: bytesToHex(header.logsBloom),
    transactions: full ? entry.transactions : entry.transactions.map(({ hash }) => hash),
  }
}

function wanted(log, { address, topics }) {
  const addresses = address === undefined ? [] : [address].flat().map((one) => one.toLowerCase())
  if (addresses.length > 0 && !addresses.includes(log.address)) return false
  return (topics ?? []).every((topic, at) => topic === null || [topic].flat().includes(log.topics[at]))
}

const methods = {
  eth_chainId: () => bigIntToHex(BigInt(CHAIN_ID)),
  net_version: () => String(CHAIN_ID),
  web3_clientVersion: () => 'EthereumJS',
  eth_syncing: () => false,
  eth_accounts: () => [...keys.keys()],
  eth_blockNumber: () => bigIntToHex(BigInt(blocks.length - 1)),
  eth_getBlockByNumber: (tag, full) => shownBlock(blockAt(tag), full),
  eth_getBlockByHash: (hash, full) => shownBlock(byHash.get(hash), full),
  eth_getBlockReceipts: (name) => (byHash.get(name) ?? blockAt(name))?.receipts ?? null,
  eth_gasPrice: () => bigIntToHex(BASE_FEE + TIP),
  eth_maxPriorityFeePerGas: () => bigIntToHex(TIP),
  eth_feeHistory: (count) => ({
    oldestBlock: bigIntToHex(BigInt(Math.max(0, blocks.length - Number(count)))),
    baseFeePerGas: Array(Number(count) + 1).fill(bigIntToHex(BASE_FEE)),
    gasUsedRatio: Array(Number(count)).fill(0.5),
    reward: Array(Number(count)).fill([bigIntToHex(TIP)]),
  }),
  eth_getBalance: async (name) => bigIntToHex((await accountOf(createAddressFromString(name))).balance),
  eth_getTransactionCount: async (name) => bigIntToHex((await accountOf(createAddressFromString(name))).nonce),
  eth_getCode: async (name) => bytesToHex(await vm.stateManager.getCode(createAddressFromString(name))),
  eth_call: async (call, _tag, overrides) => {
    const result = await attempt(call, call.gas === undefined ? MOST : BigInt(call.gas), overrides)
    refuse(result)
    return bytesToHex(result.execResult.returnValue)
  },
  eth_estimateGas: async (call, _tag, overrides) => bigIntToHex(await estimate(call, overrides)),
  eth_sendRawTransaction: async (raw) => {
    let tx
    try {
      tx = createTxFromRLP(hexToBytes(raw), { common })
    } catch (error) {
      throw new RpcError(-32000, /EIP-7825/.test(error.message) ? 'transaction gas limit too high' : `rlp: ${error.message}`)
    }
    return admit(tx)
  },
  eth_sendTransaction: async (call) => {
    const key = keys.get(call.from.toLowerCase())
    if (key === undefined) throw new RpcError(-32000, 'unknown account')
    const { nonce } = await accountOf(createAddressFromString(call.from))
    const data = {
      to: call.to,
      data: call.input ?? call.data ?? '0x',
      value: call.value ?? '0x0',
      gasLimit: call.gas === undefined ? await estimate(call) : BigInt(call.gas),
      maxFeePerGas: 2n * BASE_FEE + TIP,
      maxPriorityFeePerGas: TIP,
      nonce: call.nonce === undefined ? nonce : BigInt(call.nonce),
      chainId: CHAIN_ID,
    }
    return admit(createFeeMarket1559Tx(data, { common }).sign(key))
  },
  eth_getTransactionReceipt: (hash) => mined.get(hash) ?? null,
  eth_getTransactionByHash: (hash) => {
    const receipt = mined.get(hash)
    if (receipt !== undefined) return byHash.get(receipt.blockHash).transactions[Number(receipt.transactionIndex)]
    const tx = [...pool.values()].find((one) => bytesToHex(one.hash()) === hash)
    return tx === undefined ? null : shownTransaction(tx, tx.getSenderAddress())
  },
  eth_getLogs: (query) => {
    if (query.blockHash !== undefined) {
      const entry = byHash.get(query.blockHash)
      if (entry === undefined) throw new RpcError(-32000, 'unknown block')
      return entry.logs.filter((log) => wanted(log, query))
    }
    const first = Number(blockAt(query.fromBlock)?.block.header.number ?? 0)
    const last = Number(blockAt(query.toBlock)?.block.header.number ?? blocks.length - 1)
    return blocks.slice(first, last + 1).flatMap((entry) => entry.logs.filter((log) => wanted(log, query)))
  },
  evm_mine: async () => {
    await mine()
    return '0x0'
  },
  evm_increaseTime: (seconds) => (aheadBy += Number(seconds)),
  evm_snapshot: async () => {
    await vm.stateManager.checkpoint()
    snapshots.push({ blocks: blocks.length, pool: new Map(pool), mined: new Map(mined) })
    return bigIntToHex(BigInt(snapshots.length))
  },
  evm_revert: async (id) => {
    const kept = snapshots[Number(id) - 1]
    if (kept === undefined) return false
    while (snapshots.length >= Number(id)) {
      await vm.stateManager.revert()
      snapshots.pop()
    }
    vm.stateManager.originalStorageCache.clear()
    for (const entry of blocks.splice(kept.blocks)) byHash.delete(entry.hash)
    for (const [into, from] of [[pool, kept.pool], [mined, kept.mined]]) {
      into.clear()
      for (const [name, value] of from) into.set(name, value)
    }
    return true
  },
  anvil_setBalance: async (name, balance) => {
    await setBalance(createAddressFromString(name), BigInt(balance))
    return null
  },
  anvil_nodeInfo: () => ({ hardFork: options.hardfork }),
}

async function answer({ id, method, params }) {
  try {
    if (!Object.hasOwn(methods, method)) throw new RpcError(-32601, `the method ${method} does not exist`)
    return { jsonrpc: '2.0', id, result: await methods[method](...(params ?? [])) }
  } catch (error) {
    const { code = -32603, message, data } = error
    return { jsonrpc: '2.0', id, error: { code, message, data } }
  }
}

// One request at a time: they share one state.
let turn = Promise.resolve()
function inTurn(work) {
  const done = turn.then(work)
  turn = done.catch(() => {})
  return done
}

await mine()
if (Number(options['block-time']) > 0) setInterval(() => inTurn(mine), Number(options['block-time']) * 1000)

createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  let asked
  try {
    asked = JSON.parse(Buffer.concat(parts).toString())
  } catch {
    // Whatever asks for a WebSocket gets none: heads are polled for.
    response.writeHead(400).end()
    return
  }
  const answers = await inTurn(async () => {
    const found = []
    for (const one of [asked].flat()) found.push(await answer(one))
    return found
  })
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(Array.isArray(asked) ? answers : answers[0]))
}).listen(Number(options.port), '127.0.0.1')
