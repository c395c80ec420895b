// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GrantRegistry} from "../src/GrantRegistry.sol";
import {IGrantRegistry} from "../src/interfaces/IGrantRegistry.sol";
import {Vm, vm} from "./Vm.sol";

contract GrantRegistryTest {
    GrantRegistry private registry;

    function setUp() public {
        registry = new GrantRegistry();
    }

    function testFuzz_ARevocationIsOfNow(address owner, bytes32 grantHash, uint32 number, uint32 time)
        public
    {
        vm.roll(uint256(number) + 1);
        vm.warp(uint256(time) + 1);
        vm.recordLogs();
        vm.prank(owner);
        registry.revoke(grantHash);
        (uint64 revokedBlock, uint64 revokedTime) = registry.revocations(owner, grantHash);
        assert(revokedBlock == block.number && revokedTime == block.timestamp);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assert(logs.length == 1 && logs[0].topics[0] == IGrantRegistry.GrantRevoked.selector);
        assert(logs[0].topics[1] == bytes32(uint256(uint160(owner))) && logs[0].topics[2] == grantHash);
    }

    function testFuzz_ARepeatWritesNothingAndMovesNoTime(bytes32 grantHash, uint32 later) public {
        registry.revoke(grantHash);
        (uint64 first,) = registry.revocations(address(this), grantHash);
        vm.roll(block.number + later);
        vm.recordLogs();
        vm.record();
        registry.revoke(grantHash);
        (, bytes32[] memory writes) = vm.accesses(address(registry));
        assert(writes.length == 0 && vm.getRecordedLogs().length == 0);
        (uint64 second,) = registry.revocations(address(this), grantHash);
        assert(first == second);
    }

    function testFuzz_NobodyRevokesForAnother(address owner, address other, bytes32 grantHash) public {
        vm.assume(owner != other);
        vm.prank(other);
        registry.revoke(grantHash);
        (uint64 revokedBlock, uint64 revokedTime) = registry.revocations(owner, grantHash);
        assert(revokedBlock == 0 && revokedTime == 0);
    }

    function testFuzz_TwoGrantsDoNotMeet(bytes32 grantHash, bytes32 other) public {
        vm.assume(grantHash != other);
        registry.revoke(grantHash);
        (uint64 revokedBlock,) = registry.revocations(address(this), other);
        assert(revokedBlock == 0);
    }

    /// @dev The formula by which a verifier finds the word: core/registry-words.ts.
    function testFuzz_TheWordIsWhereAProofLooksForIt(address owner, bytes32 grantHash, uint32 number) public {
        vm.roll(uint256(number) + 1);
        vm.warp(uint256(number) + 9);
        bytes32 slot = keccak256(abi.encode(grantHash, keccak256(abi.encode(owner, uint256(0)))));
        assert(vm.load(address(registry), slot) == 0);
        vm.prank(owner);
        registry.revoke(grantHash);
        assert(vm.load(address(registry), slot) == bytes32((block.timestamp << 64) | block.number));
    }

    function testFuzz_NoOtherFunctionAnswers(bytes4 selector, bytes calldata arguments) public {
        vm.assume(
            selector != IGrantRegistry.revoke.selector && selector != IGrantRegistry.revocations.selector
        );
        (bool ok,) = address(registry).call(abi.encodePacked(selector, arguments));
        assert(!ok);
    }

    function test_Gas() public {
        registry.revoke(bytes32(type(uint256).max));
        vm.snapshotGasLastCall("GrantRegistry", "revoke");
        vm.snapshotValue("GrantRegistry", "runtime code, bytes", address(registry).code.length);
    }
}
