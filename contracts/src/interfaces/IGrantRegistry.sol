// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.4;

/// @title Which grants their owners took back, and when.
/// @notice Grants themselves stay off the chain: here is only the hash of one, and only once it is revoked. Whoever
/// does not have the grant learns that an address took something back, and nothing else.
/// @dev Keyed by the sender: nobody can revoke for another. Whether the sender is the owner that the grant names is
/// for the reader, who has the grant.
interface IGrantRegistry {
    /// @notice An owner took a grant back. A repeat emits nothing.
    event GrantRevoked(address indexed owner, bytes32 indexed grantHash);

    /// @notice Takes a grant back, from this block on and for ever. A repeat succeeds without a write.
    /// @param grantHash EIP-712 digest of the grant, see spec/grant.md.
    function revoke(bytes32 grantHash) external;

    /// @notice When `owner` revoked: number and time of the block, zero for never.
    function revocations(address owner, bytes32 grantHash)
        external
        view
        returns (uint64 revokedBlock, uint64 revokedTime);
}
