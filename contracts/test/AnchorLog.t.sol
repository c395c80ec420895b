// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {IAnchorLog} from "../src/interfaces/IAnchorLog.sol";
import {Vm, vm} from "./Vm.sol";

contract AnchorLogTest {
    AnchorLog private log;

    function setUp() public {
        log = new AnchorLog();
    }

    function testFuzz_FirstAnchorIsStoredAndLogged(address publisher, uint64 windowSeq, bytes32 hash) public {
        vm.assume(hash != 0);
        vm.recordLogs();
        vm.prank(publisher);
        log.anchor(windowSeq, hash);

        Vm.Log[] memory logs = vm.getRecordedLogs();
        assert(log.at(publisher, windowSeq) == hash);
        assert(logs.length == 1);
        assert(logs[0].emitter == address(log));
        assert(logs[0].topics.length == 3);
        assert(logs[0].topics[0] == IAnchorLog.Anchored.selector);
        assert(logs[0].topics[1] == bytes32(uint256(uint160(publisher))));
        assert(logs[0].topics[2] == bytes32(uint256(windowSeq)));
        assert(keccak256(logs[0].data) == keccak256(abi.encode(hash)));
    }

    function testFuzz_SameHashAgainSucceedsWithoutWriteOrEvent(uint64 windowSeq, bytes32 hash) public {
        vm.assume(hash != 0);
        log.anchor(windowSeq, hash);

        vm.recordLogs();
        vm.record();
        log.anchor(windowSeq, hash);
        (, bytes32[] memory writes) = vm.accesses(address(log));
        assert(writes.length == 0);
        assert(vm.getRecordedLogs().length == 0);
        assert(log.at(address(this), windowSeq) == hash);
    }

    function testFuzz_OtherHashIsRefusedWithTheOneThatStands(uint64 windowSeq, bytes32 hash, bytes32 other)
        public
    {
        vm.assume(hash != 0 && other != 0 && other != hash);
        log.anchor(windowSeq, hash);

        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogConflict.selector, hash), address(log));
        log.anchor(windowSeq, other);
        assert(log.at(address(this), windowSeq) == hash);
    }

    function testFuzz_OneChangedBitIsRefused(uint64 windowSeq, bytes32 hash, uint8 bit) public {
        bytes32 flipped = hash ^ bytes32(uint256(1) << bit);
        vm.assume(hash != 0 && flipped != 0);
        log.anchor(windowSeq, hash);

        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.AnchorLogConflict.selector, hash), address(log));
        log.anchor(windowSeq, flipped);
    }

    function testFuzz_ZeroHashIsRefusedBeforeAndAfterAnAnchor(uint64 windowSeq, bytes32 hash) public {
        vm.assume(hash != 0);
        bytes memory refusal = abi.encodeWithSelector(IAnchorLog.AnchorLogZeroHash.selector);
        vm.expectRevert(refusal, address(log));
        log.anchor(windowSeq, 0);
        assert(log.at(address(this), windowSeq) == 0);

        log.anchor(windowSeq, hash);
        vm.expectRevert(refusal, address(log));
        log.anchor(windowSeq, 0);
        assert(log.at(address(this), windowSeq) == hash);
    }

    function testFuzz_TwoPublishersDoNotMeet(address a, address b, uint64 windowSeq, bytes32 ofA, bytes32 ofB)
        public
    {
        vm.assume(a != b && ofA != 0 && ofB != 0);
        vm.prank(a);
        log.anchor(windowSeq, ofA);
        assert(log.at(b, windowSeq) == 0);

        vm.prank(b);
        log.anchor(windowSeq, ofB);
        assert(log.at(a, windowSeq) == ofA);
        assert(log.at(b, windowSeq) == ofB);
    }

    function testFuzz_TwoSequencesDoNotMeet(uint64 first, uint64 second, bytes32 hash, bytes32 other) public {
        vm.assume(first != second && hash != 0 && other != 0);
        log.anchor(first, hash);
        assert(log.at(address(this), second) == 0);

        log.anchor(second, other);
        assert(log.at(address(this), first) == hash);
        assert(log.at(address(this), second) == other);
    }

    /// @dev The formula by which a verifier finds the slot in a storage proof, with no compiler at hand.
    function testFuzz_SlotIsWhereAProofLooksForIt(address publisher, uint64 windowSeq, bytes32 hash) public {
        vm.assume(hash != 0);
        bytes32 ofPublisher = keccak256(abi.encode(publisher, uint256(0)));
        bytes32 slot = keccak256(abi.encode(windowSeq, ofPublisher));
        assert(vm.load(address(log), slot) == 0);

        vm.prank(publisher);
        vm.record();
        log.anchor(windowSeq, hash);
        (, bytes32[] memory writes) = vm.accesses(address(log));
        assert(writes.length == 1 && writes[0] == slot);
        assert(vm.load(address(log), slot) == hash);
    }

    function testFuzz_SequenceAboveU64IsRefused(uint256 windowSeq, bytes32 hash) public {
        vm.assume(windowSeq > type(uint64).max && hash != 0);
        (bool ok,) = address(log).call(abi.encodeWithSelector(IAnchorLog.anchor.selector, windowSeq, hash));
        assert(!ok);
    }

    function testFuzz_EtherIsRefused(uint96 amount, uint64 windowSeq, bytes32 hash) public {
        vm.assume(amount > 0 && hash != 0);
        vm.deal(address(this), amount);
        (bool sent,) = address(log).call{value: amount}("");
        (bool anchored,) =
            address(log).call{value: amount}(abi.encodeCall(IAnchorLog.anchor, (windowSeq, hash)));
        assert(!sent && !anchored);
        assert(address(log).balance == 0);
    }

    /// @dev Anchoring and reading is all there is: no selector of an owner, a proxy or a deletion answers.
    function testFuzz_NoOtherFunctionAnswers(bytes4 selector, bytes calldata arguments) public {
        vm.assume(selector != IAnchorLog.anchor.selector && selector != IAnchorLog.at.selector);
        (bool ok,) = address(log).call(abi.encodePacked(selector, arguments));
        assert(!ok);
    }
}
