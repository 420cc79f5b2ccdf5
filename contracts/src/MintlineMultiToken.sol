// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC5313} from "@openzeppelin/contracts/interfaces/IERC5313.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {ERC1155} from "solady/src/tokens/ERC1155.sol";

import {IERC7572} from "./IERC7572.sol";
import {IMintlineImplementation} from "./IMintlineImplementation.sol";
import {MintlineFactory} from "./MintlineFactory.sol";

/// @title Mintline multi-token
/// @notice The code of the ERC-1155 collections that MintlineFactory makes. Relayers of the factory mint in batches and
/// administer; holders may transfer and burn by signature, so that a relayer pays the gas.
/// @dev Everything that never changes is in the clone's immutable arguments, which are those of MintlineClone.
/// Invariants:
///  - a serial is used once, ever: a mint that is sent twice is minted once;
///  - every mint emits `ItemMinted` with its serial and, right after it, ERC-1155's `TransferSingle`;
///  - no relayer can move or burn a token without its holder's signature or transaction.
contract MintlineMultiToken is IERC5313, IERC7572, IMintlineImplementation, ERC1155, ERC2981, EIP712, Nonces, Pausable {
    using BitMaps for BitMaps.BitMap;

    /// @notice A clone's immutable arguments; `abi.encode` of it follows the proxy's code.
    /// @param name The collection's name; not empty
    /// @param symbol The collection's symbol
    /// @param owner ERC-5313 owner, for marketplaces; it has no rights in the contract
    /// @param royaltyReceiver ERC-2981 receiver until it is changed; zero only without a royalty
    /// @param royaltyBps ERC-2981 royalty in basis points of the sale price, until it is changed; 10,000 at most
    /// @param supplyCap How many tokens may ever be minted, of all items together, burned ones included; zero for no bound
    /// @param mintStart The first second, since the epoch, at which tokens may be minted; zero for no bound
    /// @param mintEnd The first second, since the epoch, at which no token may be minted any more; zero for no bound
    /// @param soulbound Whether tokens cannot be transferred
    struct CollectionArgs {
        string name;
        string symbol;
        address owner;
        address royaltyReceiver;
        uint96 royaltyBps;
        uint64 supplyCap;
        uint64 mintStart;
        uint64 mintEnd;
        bool soulbound;
    }

    /// @notice One mint of a relayer's batch.
    /// @param serial The mint's own number, used once
    /// @param id The item (ERC-1155 token id)
    /// @param value How many tokens of it; not zero
    /// @param to Who receives them
    /// @param metadataDigest The digest of the item's metadata JSON
    struct MintRequest {
        uint256 serial;
        uint256 id;
        uint256 value;
        address to;
        bytes32 metadataDigest;
    }

    struct Item {
        uint128 minted;
        uint128 cap;
    }

    /// @notice The role at the factory that mints and administers.
    bytes32 public constant RELAYER_ROLE = keccak256("RELAYER_ROLE");

    /// @notice The EIP-712 type hash of a transfer.
    bytes32 public constant TRANSFER_TYPEHASH =
        keccak256("Transfer(address from,address to,uint256 id,uint256 value,uint256 nonce,uint256 deadline)");
    /// @notice The EIP-712 type hash of a burn.
    bytes32 public constant BURN_TYPEHASH =
        keccak256("Burn(address from,uint256 id,uint256 value,uint256 nonce,uint256 deadline)");

    /// @dev Bytes of a commitment behind the arguments, in a collection that has one.
    uint256 private constant COMMITMENT_BYTES = 32;

    /// @dev The whole of a sale's price, as ERC2981's fee denominator.
    uint96 private constant MAX_ROYALTY_BPS = 10_000;

    MintlineFactory private immutable _factory;
    address private immutable _implementation;

    /// @notice Tokens were minted; ERC-1155's `TransferSingle` of the same mint follows.
    /// @param serial The mint's own number
    /// @param id The item
    /// @param to Who received them
    /// @param value How many
    /// @param metadataDigest The digest of the item's metadata JSON
    event ItemMinted(
        uint256 indexed serial,
        uint256 indexed id,
        address indexed to,
        uint256 value,
        bytes32 metadataDigest
    );

    /// @notice No more than `cap` tokens of an item are ever minted.
    /// @param id The item
    /// @param cap The most tokens, burned ones included
    event ItemCapped(uint256 indexed id, uint256 cap);

    /// @notice From now on neither the collection's nor any item's metadata is announced as changed.
    event MetadataFrozen();

    /// @notice The ERC-2981 royalty of all tokens changed.
    /// @param receiver Who is owed royalties
    /// @param royaltyBps The royalty in basis points of the sale price
    event DefaultRoyaltyChanged(address receiver, uint96 royaltyBps);

    /// @notice The serial was used before.
    /// @param serial The serial
    error AlreadyMinted(uint256 serial);

    /// @notice A mint of no tokens.
    /// @param serial Its serial
    error NothingToMint(uint256 serial);

    /// @notice The batch would mint more tokens than the collection may ever have.
    /// @param supplyCap The most tokens
    error SupplyCapReached(uint256 supplyCap);

    /// @notice The batch would mint more tokens of an item than there may ever be.
    /// @param id The item
    /// @param cap The most tokens
    error ItemCapReached(uint256 id, uint256 cap);

    /// @notice A cap is not below what was minted, not zero, and never above an earlier one.
    /// @param id The item
    /// @param cap The refused cap
    error InvalidItemCap(uint256 id, uint256 cap);

    /// @notice Now is not between the first and the last moment of minting.
    /// @param mintStart The first second at which tokens may be minted; zero for no bound
    /// @param mintEnd The first second at which no token may be minted any more; zero for no bound
    error MintWindowClosed(uint256 mintStart, uint256 mintEnd);

    /// @notice The collection's tokens cannot be transferred.
    error Soulbound();

    /// @notice The metadata was frozen.
    error Frozen();

    /// @notice All tokens are counted together only in collections with a supply cap.
    error NotCounted();

    /// @notice The signature's last moment is over.
    /// @param deadline The signature's deadline, in seconds since the epoch
    error SignatureExpired(uint256 deadline);

    /// @notice The signature is not the holder's, or was made over something else.
    /// @param holder Whose signature is needed
    error InvalidSignature(address holder);

    /// @notice No clone can be made with such arguments.
    error InvalidArgs();

    /// @notice The implementation itself is no collection.
    error NotAClone();

    /// @dev Shares its slot with Pausable's flag, which every batch reads.
    bool private _frozen;
    /// @dev Counts only under a supply cap. Shares the same slot.
    uint64 private _totalMinted;
    /// @dev One bit a serial, set when it is used and never cleared; 256 neighbouring serials share a slot.
    BitMaps.BitMap private _used;
    /// @dev Counted always, so that a cap can be set later.
    mapping(uint256 id => Item) private _items;

    modifier onlyRelayer() {
        if (!_factory.hasRole(RELAYER_ROLE, msg.sender)) {
            revert IAccessControl.AccessControlUnauthorizedAccount(msg.sender, RELAYER_ROLE);
        }
        _;
    }

    /// @notice Creates the implementation, which is no collection itself.
    /// @param factory_ The factory that makes its clones
    constructor(address factory_) EIP712("Mintline", "1") {
        _factory = MintlineFactory(factory_);
        _implementation = address(this);
    }

    /// @notice Mints many tokens, all or none. For relayers.
    /// @dev A receiver with code must accept (ERC-1155 makes no exception for mints). It is called when its mint is
    /// complete and its serial used; it can do nothing there that it could not do by a transaction of its own.
    /// @param requests The mints, in order; a serial twice reverts the whole batch
    function mintBatch(MintRequest[] calldata requests) external onlyRelayer whenNotPaused {
        CollectionArgs memory args = _args();
        if (block.timestamp < args.mintStart || (args.mintEnd != 0 && block.timestamp >= args.mintEnd)) {
            revert MintWindowClosed(args.mintStart, args.mintEnd);
        }
        if (args.supplyCap != 0) {
            uint256 total = _totalMinted;
            for (uint256 i = 0; i < requests.length; ++i) {
                total += requests[i].value;
            }
            if (total > args.supplyCap) revert SupplyCapReached(args.supplyCap);
            _totalMinted = uint64(total);
        }
        for (uint256 i = 0; i < requests.length; ++i) {
            MintRequest calldata request = requests[i];
            (uint256 serial, uint256 id, uint256 value) = (request.serial, request.id, request.value);
            if (_used.get(serial)) revert AlreadyMinted(serial);
            if (value == 0) revert NothingToMint(serial);
            _used.set(serial);
            _count(id, value);
            emit ItemMinted(serial, id, request.to, value, request.metadataDigest);
            _mint(request.to, id, value, "");
        }
    }

    /// @notice Burns tokens, by their holder or an operator that the holder approved.
    /// @param from The holder
    /// @param id The item
    /// @param value How many
    function burn(address from, uint256 id, uint256 value) external whenNotPaused {
        _burn(msg.sender, from, id, value);
    }

    /// @notice Transfers tokens as their holder signed; anyone may call. A receiver with code must accept (ERC-1155).
    /// @dev The nonce is used before anyone else's code runs. Signatures are 65 bytes r‖s‖v with the lower s (EIP-2),
    /// or what a holder with code accepts (ERC-1271). Replay on another chain or collection fails: see `eip712Domain`.
    /// @param from The holder, who signed
    /// @param to The receiver
    /// @param id The item
    /// @param value How many
    /// @param nonce The holder's `nonces` in this collection
    /// @param deadline The last block timestamp, in seconds since the epoch, at which the signature is good
    /// @param signature The holder's EIP-712 signature of a `Transfer` of all these
    function transferBySignature(
        address from,
        address to,
        uint256 id,
        uint256 value,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(TRANSFER_TYPEHASH, from, to, id, value, nonce, deadline));
        _useSignature(from, nonce, deadline, structHash, signature);
        _requireTransferable();
        _safeTransfer(from, to, id, value, "");
    }

    /// @notice Burns tokens as their holder signed; anyone may call.
    /// @param from The holder, who signed
    /// @param id The item
    /// @param value How many
    /// @param nonce The holder's `nonces` in this collection
    /// @param deadline The last block timestamp, in seconds since the epoch, at which the signature is good
    /// @param signature The holder's EIP-712 signature of a `Burn` of all these
    function burnBySignature(
        address from,
        uint256 id,
        uint256 value,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        bytes32 structHash = keccak256(abi.encode(BURN_TYPEHASH, from, id, value, nonce, deadline));
        _useSignature(from, nonce, deadline, structHash, signature);
        _burn(from, id, value);
    }

    /// @notice Stops minting, transfers and burning. Approvals, royalties and metadata stay changeable. For relayers.
    function pause() external onlyRelayer {
        _pause();
    }

    /// @notice Ends a pause. For relayers.
    function unpause() external onlyRelayer {
        _unpause();
    }

    /// @notice Bounds how many tokens of an item are ever minted. A cap is only ever lowered. For relayers.
    /// @param id The item
    /// @param cap The most tokens, burned ones included; not zero, and not below what was minted
    function capItem(uint256 id, uint128 cap) external onlyRelayer {
        Item storage item = _items[id];
        if (cap == 0 || cap < item.minted || (item.cap != 0 && cap > item.cap)) revert InvalidItemCap(id, cap);
        item.cap = cap;
        emit ItemCapped(id, cap);
    }

    /// @notice Changes the ERC-2981 royalty of all tokens. For relayers.
    /// @param receiver Who is owed royalties; not zero
    /// @param royaltyBps The royalty in basis points of the sale price, 10,000 at most
    function setDefaultRoyalty(address receiver, uint96 royaltyBps) external onlyRelayer {
        _setDefaultRoyalty(receiver, royaltyBps);
        emit DefaultRoyaltyChanged(receiver, royaltyBps);
    }

    /// @notice Announces by ERC-7572 that the collection's own metadata changed. For relayers, until it is frozen.
    function refreshContractURI() external onlyRelayer {
        if (_frozen) revert Frozen();
        emit ContractURIUpdated();
    }

    /// @notice Announces by ERC-1155's `URI` that the metadata of items changed. For relayers, until it is frozen.
    /// @param fromId The first item
    /// @param toId The last item
    function refreshMetadata(uint256 fromId, uint256 toId) external onlyRelayer {
        if (_frozen) revert Frozen();
        for (uint256 offset = 0; offset <= toId - fromId; ++offset) {
            emit URI(uri(fromId + offset), fromId + offset);
        }
    }

    /// @notice Ends announcements of changed metadata, permanently. Minting goes on. For relayers.
    /// @dev The digest of each mint's metadata is in its event, and cannot change in any case. The URI's base stays the
    /// factory's, so that a frozen collection can outlive a host name.
    function freezeMetadata() external onlyRelayer {
        if (_frozen) revert Frozen();
        _frozen = true;
        emit MetadataFrozen();
    }

    /// @inheritdoc IMintlineImplementation
    function factory() external view returns (address) {
        return address(_factory);
    }

    /// @inheritdoc IMintlineImplementation
    /// @dev Only the one canonical encoding is taken: equal collections have equal addresses. A commitment, which is not
    /// zero, may follow it.
    function checkArgs(bytes calldata args) external pure {
        CollectionArgs memory decoded = abi.decode(args, (CollectionArgs));
        bytes memory encoded = abi.encode(decoded);
        uint256 length = encoded.length;
        if (args.length == length + COMMITMENT_BYTES && bytes32(args[length:]) != 0) args = args[:length];
        bool canonical = keccak256(encoded) == keccak256(args);
        bool royalty = decoded.royaltyBps <= MAX_ROYALTY_BPS &&
            (decoded.royaltyReceiver != address(0) || decoded.royaltyBps == 0);
        bool window = decoded.mintEnd == 0 || decoded.mintEnd > decoded.mintStart;
        if (!canonical || !royalty || !window || bytes(decoded.name).length == 0) revert InvalidArgs();
    }

    /// @notice The immutable arguments.
    /// @return What the collection was created with
    function collectionArgs() external view returns (CollectionArgs memory) {
        return _args();
    }

    /// @notice What the collection's later metadata was committed to before the first mint; see docs/reveal.md.
    /// @return commitment The commitment; zero for none
    function metadataCommitment() external view returns (bytes32 commitment) {
        bytes memory args = Clones.fetchCloneArgs(address(this));
        uint256 length = abi.encode(_args()).length;
        // The word behind the arguments: their length comes first in memory.
        if (args.length > length) {
            assembly ("memory-safe") {
                commitment := mload(add(add(args, 0x20), length))
            }
        }
    }

    /// @notice Whether an account has a role; the factory holds the roles of all its collections.
    /// @param role The role
    /// @param account The account
    /// @return Whether it has the role
    function hasRole(bytes32 role, address account) external view returns (bool) {
        return _factory.hasRole(role, account);
    }

    /// @inheritdoc IERC7572
    function contractURI() external view returns (string memory) {
        return _contractURI();
    }

    /// @inheritdoc IERC5313
    function owner() external view returns (address) {
        return _args().owner;
    }

    /// @notice The collection's name.
    /// @return It
    function name() external view returns (string memory) {
        return _args().name;
    }

    /// @notice The collection's symbol.
    /// @return It
    function symbol() external view returns (string memory) {
        return _args().symbol;
    }

    /// @notice Whether a serial was used.
    /// @param serial The serial
    /// @return True from its mint on, permanently
    function isMinted(uint256 serial) external view returns (bool) {
        return _used.get(serial);
    }

    /// @notice How many tokens of an item were ever minted.
    /// @param id The item
    /// @return The number, burned tokens included
    function minted(uint256 id) external view returns (uint256) {
        return _items[id].minted;
    }

    /// @notice How many tokens of an item may ever be minted.
    /// @param id The item
    /// @return The number, burned tokens included; zero for no bound
    function itemCap(uint256 id) external view returns (uint256) {
        return _items[id].cap;
    }

    /// @notice How many tokens of all items were ever minted, in a collection with a supply cap.
    /// @return The number, burned tokens included
    function totalMinted() external view returns (uint256) {
        if (_args().supplyCap == 0) revert NotCounted();
        return _totalMinted;
    }

    /// @notice Whether the metadata was frozen.
    /// @return True from then on, permanently
    function frozen() external view returns (bool) {
        return _frozen;
    }

    /// @inheritdoc ERC1155
    function uri(uint256 id) public view override returns (string memory) {
        return string.concat(_contractURI(), "/", Strings.toString(id));
    }

    /// @inheritdoc ERC1155
    function safeTransferFrom(
        address from,
        address to,
        uint256 id,
        uint256 amount,
        bytes calldata data
    ) public override {
        _requireTransferable();
        super.safeTransferFrom(from, to, id, amount, data);
    }

    /// @inheritdoc ERC1155
    function safeBatchTransferFrom(
        address from,
        address to,
        uint256[] calldata ids,
        uint256[] calldata amounts,
        bytes calldata data
    ) public override {
        _requireTransferable();
        super.safeBatchTransferFrom(from, to, ids, amounts, data);
    }

    /// @inheritdoc ERC2981
    function royaltyInfo(
        uint256 tokenId,
        uint256 salePrice
    ) public view override returns (address receiver, uint256 amount) {
        (receiver, amount) = super.royaltyInfo(tokenId, salePrice);
        if (receiver == address(0)) {
            CollectionArgs memory args = _args();
            receiver = args.royaltyReceiver;
            amount = Math.mulDiv(salePrice, args.royaltyBps, MAX_ROYALTY_BPS);
        }
    }

    /// @notice Whether an interface is implemented (ERC-165): ERC-1155 with metadata URI, ERC-2981 and ERC-5313.
    /// ERC-7572 defines no interface id.
    /// @param interfaceId The interface's id
    /// @return Whether it is implemented
    function supportsInterface(bytes4 interfaceId) public view override(ERC1155, ERC2981) returns (bool) {
        return
            interfaceId == type(IERC5313).interfaceId ||
            ERC1155.supportsInterface(interfaceId) ||
            ERC2981.supportsInterface(interfaceId);
    }

    function _count(uint256 id, uint256 value) private {
        Item memory item = _items[id];
        uint256 total = item.minted + value;
        uint256 most = item.cap == 0 ? type(uint128).max : item.cap;
        if (total > most) revert ItemCapReached(id, most);
        _items[id].minted = uint128(total);
    }

    function _requireTransferable() private view {
        _requireNotPaused();
        if (_args().soulbound) revert Soulbound();
    }

    function _contractURI() private view returns (string memory) {
        return string.concat(_factory.baseURI(), Strings.toChecksumHexString(address(this)));
    }

    function _useSignature(
        address holder,
        uint256 nonce,
        uint256 deadline,
        bytes32 structHash,
        bytes calldata signature
    ) private {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        _useCheckedNonce(holder, nonce);
        if (!SignatureChecker.isValidSignatureNowCalldata(holder, _hashTypedDataV4(structHash), signature)) {
            revert InvalidSignature(holder);
        }
    }

    function _args() private view returns (CollectionArgs memory) {
        if (address(this) == _implementation) revert NotAClone();
        return abi.decode(Clones.fetchCloneArgs(address(this)), (CollectionArgs));
    }
}
