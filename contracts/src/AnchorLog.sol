// SPDX-License-Identifier: Apache-2.0
// Exact, because a trust policy names the hash of the code that this compiler makes.
pragma solidity 0.8.37;

import {IAnchorLog} from "./interfaces/IAnchorLog.sol";

/// @title AnchorLog
/// @notice The last fence against two histories: whatever goes wrong off the chain (two leaders, a restored
/// backup, a transaction sent twice), one publisher has at most one record for one window sequence.
/// @dev No owner, no proxy, no way to delete, no ether. The time of an anchor is the time of its block:
/// storing it would cost a second slot, about 22,000 gas, and say nothing that the header does not.
contract AnchorLog is IAnchorLog {
    /// @inheritdoc IAnchorLog
    mapping(address publisher => mapping(uint64 windowSeq => bytes32 windowRecordHash)) public at;

    /// @inheritdoc IAnchorLog
    function anchor(uint64 windowSeq, bytes32 windowRecordHash) external {
        if (windowRecordHash == 0) revert AnchorLogZeroHash();

        // Keyed by the sender: in a log open to all, a stranger who saw the transaction waiting could take
        // the sequence first with another hash.
        mapping(uint64 => bytes32) storage log = at[msg.sender];
        bytes32 anchored = log[windowSeq];
        if (anchored == windowRecordHash) return;
        if (anchored != 0) revert AnchorLogConflict(anchored);

        log[windowSeq] = windowRecordHash;
        emit Anchored(msg.sender, windowSeq, windowRecordHash);
    }
}
