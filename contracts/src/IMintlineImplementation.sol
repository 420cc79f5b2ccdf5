// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What MintlineFactory asks of an implementation whose clones it makes
interface IMintlineImplementation {
    /// @notice The factory whose relayers administer the clones.
    /// @return The factory's address
    function factory() external view returns (address);

    /// @notice Reverts unless a clone can be made with these immutable arguments.
    /// @param args The arguments as the clone's code is to hold them
    function checkArgs(bytes calldata args) external pure;
}
