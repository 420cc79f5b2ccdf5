// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC5313} from "@openzeppelin/contracts/interfaces/IERC5313.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Burnable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Burnable.sol";
import {ERC721Pausable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Pausable.sol";
import {ERC721Utils} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Utils.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {IERC7572} from "./IERC7572.sol";

/// @title Mintline collection
/// @notice An ERC-721 collection whose tokens are minted by redeeming vouchers that an issuer signed off chain,
/// or by a trusted relayer in batches. A token id is minted at most once, ever.
/// @dev Invariants, each held by `_mintOnce`, the only way to mint:
///  - a token id that was minted once is never minted again, even after it was burned;
///  - every mint emits ERC-721's `Transfer` and, right after it, `Minted` with the digest of the metadata.
/// The digest lives in the event and not in storage: no code on chain reads it, a check of metadata reads logs
/// anyway, and a slot for it would cost 22,100 gas a mint.
/// Not ERC721Enumerable (about 90,000 gas more a mint) and not ERC721URIStorage (a token's URI is the base URI and its id).
contract MintlineCollection is
    IERC4906,
    IERC5313,
    IERC7572,
    ERC721Burnable,
    ERC721Pausable,
    ERC2981,
    AccessControl,
    EIP712
{
    using BitMaps for BitMaps.BitMap;

    /// @notice The issuer's promise that `tokenId` may be minted to `to`, once, until `deadline`.
    /// @param tokenId The id to mint
    /// @param to Who receives the token, no matter who redeems
    /// @param metadataDigest The digest of the token's metadata JSON
    /// @param deadline The last block timestamp, in seconds since the epoch, at which the voucher may be redeemed
    struct Voucher {
        uint256 tokenId;
        address to;
        bytes32 metadataDigest;
        uint256 deadline;
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

    /// @notice Signs vouchers, off chain. The role allows no call of its own.
    bytes32 public constant ISSUER_ROLE = keccak256("ISSUER_ROLE");
    /// @notice May mint in batches without vouchers.
    bytes32 public constant RELAYER_ROLE = keccak256("RELAYER_ROLE");
    /// @notice May pause and unpause.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice May change the URIs and announce changed metadata.
    bytes32 public constant METADATA_ROLE = keccak256("METADATA_ROLE");

    /// @notice The EIP-712 type hash of a voucher.
    bytes32 public constant VOUCHER_TYPEHASH =
        keccak256("Voucher(uint256 tokenId,address to,bytes32 metadataDigest,uint256 deadline)");

    /// @notice A token was minted; follows ERC-721's `Transfer` of the same mint.
    /// @param tokenId The minted id
    /// @param to Its first owner
    /// @param metadataDigest The digest of its metadata JSON
    event Minted(uint256 indexed tokenId, address indexed to, bytes32 metadataDigest);

    /// @notice `owner` changed. Marketplaces follow this event to know who may edit the collection's page.
    /// @param previousOwner The owner before; zero at the collection's creation
    /// @param newOwner The owner from now on
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    /// @notice The voucher's last moment is over.
    /// @param deadline The voucher's deadline, in seconds since the epoch
    error VoucherExpired(uint256 deadline);

    /// @notice The voucher's signer is no issuer. Any change to a signed voucher recovers such a signer.
    /// @param signer The address recovered from the signature
    error InvalidIssuer(address signer);

    /// @notice The token was minted before, and may have been burned since.
    /// @param tokenId The id
    error AlreadyMinted(uint256 tokenId);

    /// @notice A collection without an administrator could never be given one.
    /// @param admin The refused address
    error InvalidAdmin(address admin);

    /// @dev One bit a token id, set when it is first minted and never cleared; 256 neighbouring ids share a slot.
    BitMaps.BitMap private _minted;
    string private _baseTokenURI;
    string private _contractURI;

    /// @inheritdoc IERC5313
    /// @dev For marketplaces, which let this account edit the collection's page. It has no rights in this contract.
    address public override owner;

    /// @notice Creates the collection. Only `admin` and `issuer` get a role; the admin grants the others.
    /// @param name_ ERC-721 name
    /// @param symbol_ ERC-721 symbol
    /// @param baseURI_ What `tokenURI` puts before the decimal id, so it usually ends in a slash
    /// @param contractURI_ ERC-7572 URI of the collection's own metadata
    /// @param admin Receives DEFAULT_ADMIN_ROLE, which grants all roles, and is the first `owner`; not zero
    /// @param issuer Receives ISSUER_ROLE; not zero
    /// @param royaltyReceiver ERC-2981 receiver; not zero
    /// @param royaltyBps ERC-2981 royalty in basis points of the sale price, 10,000 at most
    constructor(
        string memory name_,
        string memory symbol_,
        string memory baseURI_,
        string memory contractURI_,
        address admin,
        address issuer,
        address royaltyReceiver,
        uint96 royaltyBps
    ) ERC721(name_, symbol_) EIP712("Mintline", "1") {
        if (admin == address(0)) revert InvalidAdmin(admin);
        if (issuer == address(0)) revert InvalidIssuer(issuer);
        _baseTokenURI = baseURI_;
        _contractURI = contractURI_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(ISSUER_ROLE, issuer);
        _setDefaultRoyalty(royaltyReceiver, royaltyBps);
        _setOwner(admin);
    }

    /// @notice Mints the voucher's token to the voucher's receiver. Anyone may call; the caller gains nothing.
    /// @dev A receiver with code must accept by `onERC721Received` (ERC-721). It is called last, when no state is left
    /// to change, so re-entering finds the voucher redeemed.
    /// Signatures are 65 bytes r‖s‖v with the lower s (EIP-2) and v of 27 or 28; ERC-2098 compact ones are refused.
    /// Replay on another chain or collection fails, because the EIP-712 domain names both.
    /// @param voucher What the issuer signed
    /// @param signature The issuer's EIP-712 signature of it
    function redeem(Voucher calldata voucher, bytes calldata signature) external {
        if (block.timestamp > voucher.deadline) revert VoucherExpired(voucher.deadline);
        address signer = ECDSA.recoverCalldata(hashVoucher(voucher), signature);
        if (!hasRole(ISSUER_ROLE, signer)) revert InvalidIssuer(signer);

        _mintOnce(voucher.tokenId, voucher.to, voucher.metadataDigest);
        ERC721Utils.checkOnERC721Received(_msgSender(), address(0), voucher.to, voucher.tokenId, "");
    }

    /// @notice Mints many tokens, all or none. For relayers.
    /// @dev Deliberately `_mint` and not `_safeMint`: receivers are not asked, so none of them can block the others or
    /// run code in the relayer's transaction. The relayer answers for sending to addresses that can hold a token.
    /// @param requests The mints, in order; an id twice reverts the whole batch
    function mintBatch(MintRequest[] calldata requests) external onlyRole(RELAYER_ROLE) {
        for (uint256 i = 0; i < requests.length; ++i) {
            MintRequest calldata request = requests[i];
            _mintOnce(request.tokenId, request.to, request.metadataDigest);
        }
    }

    /// @notice Stops minting, transfers and burning. Approvals, roles and metadata stay changeable.
    /// @dev Burning stops too: a pause answers a stolen key or approval, which could burn as well as take.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Ends a pause.
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @notice Changes what stands before the id in every token's URI, and announces it by ERC-4906.
    /// @param baseURI_ The new base, usually ending in a slash; empty makes every `tokenURI` empty
    function setBaseURI(string calldata baseURI_) external onlyRole(METADATA_ROLE) {
        _baseTokenURI = baseURI_;
        emit BatchMetadataUpdate(0, type(uint256).max);
    }

    /// @notice Announces by ERC-4906 that the JSON behind a token's URI changed.
    /// @param tokenId An existing token
    function refreshMetadata(uint256 tokenId) external onlyRole(METADATA_ROLE) {
        _requireOwned(tokenId);
        emit MetadataUpdate(tokenId);
    }

    /// @notice Changes the URI of the collection's own metadata, and announces it by ERC-7572.
    /// @param contractURI_ The new URI
    function setContractURI(string calldata contractURI_) external onlyRole(METADATA_ROLE) {
        _contractURI = contractURI_;
        emit ContractURIUpdated();
    }

    /// @notice Changes the ERC-2981 royalty of all tokens. For the admin alone, since it moves money.
    /// @param receiver Who is owed royalties; not zero
    /// @param royaltyBps The royalty in basis points of the sale price, 10,000 at most
    function setDefaultRoyalty(address receiver, uint96 royaltyBps) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setDefaultRoyalty(receiver, royaltyBps);
    }

    /// @notice Changes who `owner` names.
    /// @param newOwner The new owner; zero for none
    function setOwner(address newOwner) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setOwner(newOwner);
    }

    /// @inheritdoc IERC7572
    function contractURI() external view returns (string memory) {
        return _contractURI;
    }

    /// @notice Whether the token was ever minted, including tokens burned since.
    /// @param tokenId The id
    /// @return True from the token's mint on, permanently
    function isMinted(uint256 tokenId) external view returns (bool) {
        return _minted.get(tokenId);
    }

    /// @notice The EIP-712 hash that an issuer signs, under the domain that `eip712Domain` (ERC-5267) describes.
    /// @param voucher The voucher
    /// @return The hash that the signature is made over
    function hashVoucher(Voucher calldata voucher) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VOUCHER_TYPEHASH, voucher)));
    }

    /// @notice Whether an interface is implemented (ERC-165): ERC-721 with metadata, ERC-2981, ERC-4906,
    /// ERC-5313 and AccessControl. ERC-7572 defines no interface id.
    /// @param interfaceId The interface's id
    /// @return Whether it is implemented
    function supportsInterface(
        bytes4 interfaceId
    ) public view override(IERC165, ERC721, ERC2981, AccessControl) returns (bool) {
        // ERC-4906 fixes its own id: it declares events only, so type(IERC4906).interfaceId would be zero.
        return
            interfaceId == bytes4(0x49064906) ||
            interfaceId == type(IERC5313).interfaceId ||
            super.supportsInterface(interfaceId);
    }

    /// @dev Marks before minting, so no path back into this contract can mint the id again.
    function _mintOnce(uint256 tokenId, address to, bytes32 metadataDigest) private {
        if (_minted.get(tokenId)) revert AlreadyMinted(tokenId);
        _minted.set(tokenId);
        _mint(to, tokenId);
        emit Minted(tokenId, to, metadataDigest);
    }

    function _setOwner(address newOwner) private {
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function _update(
        address to,
        uint256 tokenId,
        address auth
    ) internal override(ERC721, ERC721Pausable) returns (address) {
        return super._update(to, tokenId, auth);
    }

    function _baseURI() internal view override returns (string memory) {
        return _baseTokenURI;
    }
}
