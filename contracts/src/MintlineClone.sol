// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC5313} from "@openzeppelin/contracts/interfaces/IERC5313.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Burnable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Burnable.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {IERC5192} from "./IERC5192.sol";
import {IERC7572} from "./IERC7572.sol";
import {IMintlineImplementation} from "./IMintlineImplementation.sol";
import {MintlineFactory} from "./MintlineFactory.sol";

/// @title Mintline clone
/// @notice The code of the ERC-721 collections that MintlineFactory makes. Relayers of the factory mint in batches and
/// administer; holders may transfer and burn by signature, so that a relayer pays the gas.
/// @dev Everything that never changes is in the clone's immutable arguments, which are part of its code and thus of its
/// address; there is no initializer. Invariants:
///  - a token id that was minted once is never minted again, even after it was burned;
///  - every mint emits ERC-721's `Transfer` and, right after it, `Minted` with the digest of the metadata;
///  - no relayer can move or burn a token without its holder's signature or transaction.
contract MintlineClone is
    IERC4906,
    IERC5192,
    IERC5313,
    IERC7572,
    IMintlineImplementation,
    ERC721Burnable,
    ERC2981,
    EIP712,
    Nonces,
    Pausable
{
    using BitMaps for BitMaps.BitMap;

    /// @notice A clone's immutable arguments; `abi.encode` of it follows the proxy's code.
    /// @param name ERC-721 name; not empty
    /// @param symbol ERC-721 symbol
    /// @param owner ERC-5313 owner, for marketplaces; it has no rights in the contract
    /// @param royaltyReceiver ERC-2981 receiver until it is changed; zero only without a royalty
    /// @param royaltyBps ERC-2981 royalty in basis points of the sale price, until it is changed; 10,000 at most
    /// @param supplyCap How many tokens may ever be minted, burned ones included; zero for no bound
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
    /// @param tokenId The id to mint
    /// @param to Who receives the token
    /// @param metadataDigest The digest of the token's metadata JSON
    struct MintRequest {
        uint256 tokenId;
        address to;
        bytes32 metadataDigest;
    }

    /// @notice The role at the factory that mints and administers.
    bytes32 public constant RELAYER_ROLE = keccak256("RELAYER_ROLE");

    /// @notice The EIP-712 type hash of a transfer.
    bytes32 public constant TRANSFER_TYPEHASH =
        keccak256("Transfer(address from,address to,uint256 tokenId,uint256 nonce,uint256 deadline)");
    /// @notice The EIP-712 type hash of a burn.
    bytes32 public constant BURN_TYPEHASH =
        keccak256("Burn(address from,uint256 tokenId,uint256 nonce,uint256 deadline)");

    /// @dev Bytes of a commitment behind the arguments, in a collection that has one.
    uint256 private constant COMMITMENT_BYTES = 32;

    /// @dev The whole of a sale's price, as ERC2981's fee denominator.
    uint96 private constant MAX_ROYALTY_BPS = 10_000;

    MintlineFactory private immutable _factory;
    address private immutable _implementation;

    /// @notice A token was minted; follows ERC-721's `Transfer` of the same mint.
    /// @param tokenId The minted id
    /// @param to Its first owner
    /// @param metadataDigest The digest of its metadata JSON
    event Minted(uint256 indexed tokenId, address indexed to, bytes32 metadataDigest);

    /// @notice From now on neither the collection's nor any token's metadata is announced as changed.
    event MetadataFrozen();

    /// @notice The ERC-2981 royalty of all tokens changed.
    /// @param receiver Who is owed royalties
    /// @param royaltyBps The royalty in basis points of the sale price
    event DefaultRoyaltyChanged(address receiver, uint96 royaltyBps);

    /// @notice The token was minted before, and may have been burned since.
    /// @param tokenId The id
    error AlreadyMinted(uint256 tokenId);

    /// @notice The batch would mint more tokens than the collection may ever have.
    /// @param supplyCap The most tokens
    error SupplyCapReached(uint256 supplyCap);

    /// @notice Now is not between the first and the last moment of minting.
    /// @param mintStart The first second at which tokens may be minted; zero for no bound
    /// @param mintEnd The first second at which no token may be minted any more; zero for no bound
    error MintWindowClosed(uint256 mintStart, uint256 mintEnd);

    /// @notice The collection's tokens cannot be transferred.
    error Soulbound();

    /// @notice The metadata was frozen.
    error Frozen();

    /// @notice Tokens are counted only in collections with a supply cap.
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
    /// @dev One bit a token id, set when it is first minted and never cleared; 256 neighbouring ids share a slot.
    BitMaps.BitMap private _minted;

    modifier onlyRelayer() {
        if (!_factory.hasRole(RELAYER_ROLE, msg.sender)) {
            revert IAccessControl.AccessControlUnauthorizedAccount(msg.sender, RELAYER_ROLE);
        }
        _;
    }

    /// @notice Creates the implementation, which is no collection itself.
    /// @param factory_ The factory that makes its clones
    constructor(address factory_) ERC721("", "") EIP712("Mintline", "1") {
        _factory = MintlineFactory(factory_);
        _implementation = address(this);
    }

    /// @notice Mints many tokens, all or none. For relayers.
    /// @dev Receivers are not asked, so none of them can block the others or run code in the relayer's transaction.
    /// @param requests The mints, in order; an id twice reverts the whole batch
    function mintBatch(MintRequest[] calldata requests) external onlyRelayer whenNotPaused {
        CollectionArgs memory args = _args();
        if (block.timestamp < args.mintStart || (args.mintEnd != 0 && block.timestamp >= args.mintEnd)) {
            revert MintWindowClosed(args.mintStart, args.mintEnd);
        }
        if (args.supplyCap != 0) {
            uint256 total = _totalMinted + requests.length;
            if (total > args.supplyCap) revert SupplyCapReached(args.supplyCap);
            _totalMinted = uint64(total);
        }
        bool soulbound = args.soulbound;
        for (uint256 i = 0; i < requests.length; ++i) {
            MintRequest calldata request = requests[i];
            uint256 tokenId = request.tokenId;
            if (_minted.get(tokenId)) revert AlreadyMinted(tokenId);
            _minted.set(tokenId);
            _mint(request.to, tokenId);
            emit Minted(tokenId, request.to, request.metadataDigest);
            if (soulbound) emit Locked(tokenId);
        }
    }

    /// @notice Transfers a token as its holder signed; anyone may call. A receiver with code must accept (ERC-721).
    /// @dev The nonce is used before anyone else's code runs. Signatures are 65 bytes r‖s‖v with the lower s (EIP-2),
    /// or what a holder with code accepts (ERC-1271). Replay on another chain or collection fails: see `eip712Domain`.
    /// @param from The holder, who signed
    /// @param to The receiver
    /// @param tokenId The token
    /// @param nonce The holder's `nonces` in this collection
    /// @param deadline The last block timestamp, in seconds since the epoch, at which the signature is good
    /// @param signature The holder's EIP-712 signature of a `Transfer` of all these
    function transferBySignature(
        address from,
        address to,
        uint256 tokenId,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(TRANSFER_TYPEHASH, from, to, tokenId, nonce, deadline));
        _useSignature(from, nonce, deadline, structHash, signature);
        _safeTransfer(from, to, tokenId);
    }

    /// @notice Burns a token as its holder signed; anyone may call.
    /// @param from The holder, who signed
    /// @param tokenId The token
    /// @param nonce The holder's `nonces` in this collection
    /// @param deadline The last block timestamp, in seconds since the epoch, at which the signature is good
    /// @param signature The holder's EIP-712 signature of a `Burn` of all these
    function burnBySignature(
        address from,
        uint256 tokenId,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(BURN_TYPEHASH, from, tokenId, nonce, deadline));
        _useSignature(from, nonce, deadline, structHash, signature);
        address holder = _requireOwned(tokenId);
        if (holder != from) revert ERC721IncorrectOwner(from, tokenId, holder);
        _burn(tokenId);
    }

    /// @notice Stops minting, transfers and burning. Approvals, royalties and metadata stay changeable. For relayers.
    function pause() external onlyRelayer {
        _pause();
    }

    /// @notice Ends a pause. For relayers.
    function unpause() external onlyRelayer {
        _unpause();
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

    /// @notice Announces by ERC-4906 that the metadata of tokens changed. For relayers, until it is frozen.
    /// @param fromTokenId The first id
    /// @param toTokenId The last id
    function refreshMetadata(uint256 fromTokenId, uint256 toTokenId) external onlyRelayer {
        if (_frozen) revert Frozen();
        emit BatchMetadataUpdate(fromTokenId, toTokenId);
    }

    /// @notice Ends announcements of changed metadata, permanently. Minting goes on. For relayers.
    /// @dev The digest of each token's metadata is in its mint's event, and cannot change in any case. The URI's base
    /// stays the factory's, so that a frozen collection can outlive a host name.
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

    /// @notice Whether the token was ever minted, including tokens burned since.
    /// @param tokenId The id
    /// @return True from the token's mint on, permanently
    function isMinted(uint256 tokenId) external view returns (bool) {
        return _minted.get(tokenId);
    }

    /// @notice How many tokens were ever minted, in a collection with a supply cap.
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

    /// @inheritdoc IERC5192
    function locked(uint256 tokenId) external view returns (bool) {
        _requireOwned(tokenId);
        return _args().soulbound;
    }

    /// @inheritdoc ERC721
    function name() public view override returns (string memory) {
        return _args().name;
    }

    /// @inheritdoc ERC721
    function symbol() public view override returns (string memory) {
        return _args().symbol;
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

    /// @notice Whether an interface is implemented (ERC-165): ERC-721 with metadata, ERC-2981, ERC-4906, ERC-5313, and
    /// ERC-5192 if the tokens are soulbound. ERC-7572 defines no interface id.
    /// @param interfaceId The interface's id
    /// @return Whether it is implemented
    function supportsInterface(bytes4 interfaceId) public view override(IERC165, ERC721, ERC2981) returns (bool) {
        if (interfaceId == type(IERC5192).interfaceId) return _args().soulbound;
        // ERC-4906 fixes its own id: it declares events only, so type(IERC4906).interfaceId would be zero.
        return
            interfaceId == bytes4(0x49064906) ||
            interfaceId == type(IERC5313).interfaceId ||
            super.supportsInterface(interfaceId);
    }

    /// @dev Mints are checked once a batch, by `mintBatch`.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        if (from != address(0)) {
            _requireNotPaused();
            if (to != address(0) && _args().soulbound) revert Soulbound();
        }
    }

    function _baseURI() internal view override returns (string memory) {
        return string.concat(_contractURI(), "/");
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
