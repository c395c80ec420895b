// SPDX-License-Identifier: Apache-2.0
// Exact, because a trust policy names the hash of the code that this compiler makes.
pragma solidity 0.8.37;

import {IGrantRegistry} from "./interfaces/IGrantRegistry.sol";

/// @title GrantRegistry
/// @notice Revocations, one storage word each: a proof of that word shows "revoked in this block", or, while it is
/// zero, "not revoked up to here".
/// @dev No admin, no proxy, no ether; nothing is ever overwritten or deleted.
contract GrantRegistry is IGrantRegistry {
    struct Revocation {
        uint64 revokedBlock;
        uint64 revokedTime;
    }

    /// @inheritdoc IGrantRegistry
    mapping(address owner => mapping(bytes32 grantHash => Revocation)) public revocations;

    /// @inheritdoc IGrantRegistry
    function revoke(bytes32 grantHash) external {
        Revocation storage revocation = revocations[msg.sender][grantHash];
        if (revocation.revokedBlock != 0) return;

        revocation.revokedBlock = uint64(block.number);
        revocation.revokedTime = uint64(block.timestamp);
        emit GrantRevoked(msg.sender, grantHash);
    }
}
