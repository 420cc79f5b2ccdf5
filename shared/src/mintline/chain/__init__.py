"""The chain, over any JSON-RPC node.

::

    node          typed questions and their answers         collection   the contract: its ABI, events, errors
      │                                                     send_facts   what a node's refusal means
      ▼
    rpc           batching, failover, suspicion             answers      strict parsing into values
      │           health: whom to ask first                 responses    results and JSON-RPC errors
      ▼           quorum: what most endpoints say
    transport     web3's AsyncHTTPProvider: the only place with a socket
"""
