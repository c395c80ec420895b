// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.4;

/// @title Write-once log of window record hashes, one per publisher and window sequence.
/// @notice Permissionless: a publisher is whoever sends the transaction, and nobody can write, change or
/// delete an entry of another, not even who deployed the contract. The proof that a hash was anchored is
/// the storage slot of `at` (EIP-1186) under a block header, never the event: a slot can be proven again
/// against any later header, an event needs receipts that nodes are free to forget.
interface IAnchorLog {
    /// @notice A window record hash was stored for the first time.
    /// @dev A repeat emits nothing. Use it to find entries, not to prove them.
    /// @param publisher The sender, whose log this is.
    /// @param windowSeq The window sequence in that log.
    /// @param windowRecordHash SHA-256 of the window record.
    event Anchored(address indexed publisher, uint64 indexed windowSeq, bytes32 windowRecordHash);

    /// @notice Another hash is already anchored for this sender and sequence.
    /// @param anchored The hash that stands, so that the sender need not read it again.
    error AnchorLogConflict(bytes32 anchored);

    /// @notice The zero hash was offered: once stored it could not be told from an empty slot.
    error AnchorLogZeroHash();

    /// @notice Anchors `windowRecordHash` for the sender and `windowSeq`, once and for ever.
    /// @dev Succeeds without a write and without an event when this very hash is already there, so a
    /// transaction may be sent again when its fate is unknown. Sequences may be anchored in any order and
    /// with holes: order and completeness are carried by the window records, each naming the one before.
    /// @param windowSeq The window sequence in the sender's log.
    /// @param windowRecordHash SHA-256 of the window record; not zero.
    function anchor(uint64 windowSeq, bytes32 windowRecordHash) external;

    /// @notice The hash anchored by `publisher` for `windowSeq`, or zero when there is none.
    /// @dev Lies in storage at keccak256(windowSeq . keccak256(publisher . slot)), each part padded to
    /// 32 bytes; `slot` is part of the compiled description and does not change for this contract.
    /// @param publisher The address that anchored.
    /// @param windowSeq The window sequence in that publisher's log.
    /// @return windowRecordHash SHA-256 of the window record.
    function at(address publisher, uint64 windowSeq) external view returns (bytes32 windowRecordHash);
}
