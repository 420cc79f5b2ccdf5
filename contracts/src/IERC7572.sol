// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-7572: contract-level metadata via `contractURI()`
/// @dev https://eips.ethereum.org/EIPS/eip-7572
interface IERC7572 {
    /// @notice The contract's own metadata changed.
    event ContractURIUpdated();

    /// @notice Where the collection's own metadata is found.
    /// @return The URI of a JSON document with at least a name
    function contractURI() external view returns (string memory);
}
