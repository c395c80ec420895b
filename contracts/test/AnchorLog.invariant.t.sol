// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {vm} from "./Vm.sol";

/// @dev Anchors as a few publishers over a few sequences and a few hashes, so that every run is full of
/// repeats and conflicts, and keeps its own list of what was accepted first.
contract Publishers {
    struct Entry {
        address publisher;
        uint64 windowSeq;
        bytes32 hash;
    }

    AnchorLog public immutable log;
    Entry[] private accepted;
    mapping(address publisher => mapping(uint64 windowSeq => bytes32 hash)) private first;
    bool public broken;

    constructor(AnchorLog anchorLog) {
        log = anchorLog;
    }

    function anchor(uint8 publisherPick, uint8 seqPick, uint8 hashPick) external {
        address publisher = address(uint160(0xA0 + publisherPick % 3));
        // Both ends of the range of a u64.
        uint64 windowSeq = seqPick % 2 == 0 ? seqPick % 6 : type(uint64).max - seqPick % 6;
        bytes32 hash = hashPick % 4 == 0 ? bytes32(0) : keccak256(abi.encode(hashPick % 4));
        bytes32 expected = first[publisher][windowSeq];

        vm.prank(publisher);
        try log.anchor(windowSeq, hash) {
            if (hash == 0 || (expected != 0 && expected != hash)) broken = true;
            if (expected == 0) {
                first[publisher][windowSeq] = hash;
                accepted.push(Entry(publisher, windowSeq, hash));
            }
        } catch {
            if (hash != 0 && (expected == 0 || expected == hash)) broken = true;
        }
    }

    function count() external view returns (uint256) {
        return accepted.length;
    }

    function entry(uint256 index) external view returns (Entry memory) {
        return accepted[index];
    }
}

contract AnchorLogInvariantTest {
    AnchorLog private log;
    Publishers private publishers;

    function setUp() public {
        log = new AnchorLog();
        publishers = new Publishers(log);
    }

    /// @dev Read by forge: the only contract it may call in a run.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(publishers);
    }

    function invariant_AnchoredHashesNeverChange() external view {
        for (uint256 i = 0; i < publishers.count(); i++) {
            Publishers.Entry memory entry = publishers.entry(i);
            assert(log.at(entry.publisher, entry.windowSeq) == entry.hash);
        }
    }

    function invariant_AcceptsExactlyNewAndRepeatedHashes() external view {
        assert(!publishers.broken());
    }
}
