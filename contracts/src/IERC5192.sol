// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-5192: minimal soulbound tokens
/// @dev https://eips.ethereum.org/EIPS/eip-5192; the interface id is 0xb45a3c0e
interface IERC5192 {
    /// @notice The token cannot be transferred.
    /// @param tokenId The id
    event Locked(uint256 tokenId);

    /// @notice The token can be transferred again. Mintline's tokens never change that.
    /// @param tokenId The id
    event Unlocked(uint256 tokenId);

    /// @notice Whether the token cannot be transferred.
    /// @param tokenId An existing token
    /// @return True if every transfer of it reverts
    function locked(uint256 tokenId) external view returns (bool);
}
