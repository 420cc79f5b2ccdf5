// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IMintlineImplementation} from "./IMintlineImplementation.sol";

/// @title Mintline factory
/// @notice Makes collections as minimal clones (ERC-1167) with immutable arguments, at addresses that are known before
/// (CREATE2), and holds the role by which relayers create, mint into and administer all of them.
/// @dev A collection's address follows from this factory, the implementation, the salt and the arguments alone, so a
/// signer can check by itself that an address is a collection of this factory with these arguments.
contract MintlineFactory is AccessControl {
    /// @notice May create collections; mints into them and administers them.
    bytes32 public constant RELAYER_ROLE = keccak256("RELAYER_ROLE");

    /// @notice A collection was created.
    /// @param collection Its address
    /// @param implementation The contract whose code it runs
    /// @param salt The salt that it was created with
    event CollectionCreated(address indexed collection, address indexed implementation, bytes32 salt);

    /// @notice Collections of an implementation may be created from now on.
    /// @param implementation The contract whose code they run
    event ImplementationAdded(address indexed implementation);

    /// @notice No collection of an implementation may be created any more. Existing ones are not affected.
    /// @param implementation The contract whose code they run
    event ImplementationRemoved(address indexed implementation);

    /// @notice The URIs of all collections and tokens changed. The collections themselves emit nothing.
    /// @param baseURI What the URIs begin with from now on
    event BaseURIChanged(string baseURI);

    /// @notice A factory without an administrator could never be given one.
    /// @param admin The refused address
    error InvalidAdmin(address admin);

    /// @notice The implementation was not added, or was made for another factory.
    /// @param implementation The refused address
    error InvalidImplementation(address implementation);

    /// @notice The same implementation, salt and arguments were used before.
    /// @param collection The collection that they made
    error AlreadyCreated(address collection);

    /// @notice Whether collections of an implementation may be created.
    mapping(address implementation => bool) public isImplementation;

    string private _baseURI;

    /// @notice Creates the factory. Implementations are added afterwards, since each names its factory.
    /// @param admin Receives DEFAULT_ADMIN_ROLE, which grants roles and adds implementations; not zero
    /// @param baseURI_ What the URIs of all collections and tokens begin with, usually ending in a slash
    constructor(address admin, string memory baseURI_) {
        if (admin == address(0)) revert InvalidAdmin(admin);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _baseURI = baseURI_;
    }

    /// @notice Creates a collection.
    /// @param implementation The contract whose code it runs; one that the admin added
    /// @param salt Tells collections with equal arguments apart
    /// @param args Its immutable arguments, in the encoding of the implementation
    /// @return collection Its address, which `collectionAddress` gives before
    function createCollection(
        address implementation,
        bytes32 salt,
        bytes calldata args
    ) external onlyRole(RELAYER_ROLE) returns (address collection) {
        if (!isImplementation[implementation]) revert InvalidImplementation(implementation);
        IMintlineImplementation(implementation).checkArgs(args);
        collection = collectionAddress(implementation, salt, args);
        if (collection.code.length != 0) revert AlreadyCreated(collection);
        Clones.cloneDeterministicWithImmutableArgs(implementation, args, salt);
        emit CollectionCreated(collection, implementation, salt);
    }

    /// @notice Allows collections of an implementation.
    /// @param implementation A contract that names this factory as its own
    function addImplementation(address implementation) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (implementation.code.length == 0 || IMintlineImplementation(implementation).factory() != address(this)) {
            revert InvalidImplementation(implementation);
        }
        isImplementation[implementation] = true;
        emit ImplementationAdded(implementation);
    }

    /// @notice Ends the creation of collections of an implementation. Existing ones are not affected.
    /// @param implementation One that was added
    function removeImplementation(address implementation) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!isImplementation[implementation]) revert InvalidImplementation(implementation);
        isImplementation[implementation] = false;
        emit ImplementationRemoved(implementation);
    }

    /// @notice Changes what the URIs of all collections and tokens begin with.
    /// @param baseURI_ The new base, usually ending in a slash
    function setBaseURI(string calldata baseURI_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _baseURI = baseURI_;
        emit BaseURIChanged(baseURI_);
    }

    /// @notice What the URIs of all collections and tokens begin with: a collection's address follows, and for a
    /// token a slash and its id.
    /// @return The base
    function baseURI() external view returns (string memory) {
        return _baseURI;
    }

    /// @notice The address that a collection has or would have.
    /// @param implementation The contract whose code it runs
    /// @param salt The salt that it is created with
    /// @param args Its immutable arguments
    /// @return Its address (EIP-1014)
    function collectionAddress(
        address implementation,
        bytes32 salt,
        bytes calldata args
    ) public view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(implementation, args, salt);
    }
}
