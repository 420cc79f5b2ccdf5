// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

import {MintlineCollection} from "../../../../contracts/src/MintlineCollection.sol";
import {MintlineMultiToken} from "../../../../contracts/src/MintlineMultiToken.sol";

/// @dev Accepts every token and remembers what it was told.
contract AcceptingReceiver is IERC721Receiver {
    address public operator;
    address public from;
    uint256 public tokenId;

    function onERC721Received(address by, address previous, uint256 id, bytes calldata) external returns (bytes4) {
        (operator, from, tokenId) = (by, previous, id);
        return IERC721Receiver.onERC721Received.selector;
    }
}

/// @dev Answers with a wrong magic value.
contract WrongAnswerReceiver {
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return 0xffffffff;
    }
}

/// @dev Refuses with an error of its own.
contract RevertingReceiver {
    error NotWanted(uint256 tokenId);

    function onERC721Received(address, address, uint256 id, bytes calldata) external pure returns (bytes4) {
        revert NotWanted(id);
    }
}

/// @dev Knows nothing of ERC-721.
contract SilentContract {}

/// @dev Tries to redeem the same voucher again from within the callback.
contract ReenteringReceiver {
    MintlineCollection.Voucher private _voucher;
    bytes private _signature;

    function prepare(MintlineCollection.Voucher calldata voucher, bytes calldata signature) external {
        _voucher = voucher;
        _signature = signature;
    }

    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        MintlineCollection(msg.sender).redeem(_voucher, _signature);
        return IERC721Receiver.onERC721Received.selector;
    }
}

/// @dev Burns the token as soon as it is received, then tries to redeem the voucher for it again.
contract BurningReceiver {
    MintlineCollection.Voucher private _voucher;
    bytes private _signature;

    function prepare(MintlineCollection.Voucher calldata voucher, bytes calldata signature) external {
        _voucher = voucher;
        _signature = signature;
    }

    function onERC721Received(address, address, uint256 id, bytes calldata) external returns (bytes4) {
        MintlineCollection(msg.sender).burn(id);
        MintlineCollection(msg.sender).redeem(_voucher, _signature);
        return IERC721Receiver.onERC721Received.selector;
    }
}

/// @dev Burns ERC-1155 tokens as soon as they are received.
contract BurningItemReceiver {
    function onERC1155Received(
        address,
        address,
        uint256 id,
        uint256 value,
        bytes calldata
    ) external returns (bytes4) {
        MintlineMultiToken(msg.sender).burn(address(this), id, value);
        return this.onERC1155Received.selector;
    }
}
