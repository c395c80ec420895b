// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.4;

/// @notice The part of forge's cheatcode interface that these tests use; saves a dependency for a few lines.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function assume(bool condition) external pure;
    function prank(address sender) external;
    function roll(uint256 blockNumber) external;
    function warp(uint256 blockTime) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory logs);
    function expectRevert(bytes calldata revertData, address reverter) external;
    function load(address target, bytes32 slot) external view returns (bytes32 value);
    function record() external;
    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
    function deal(address account, uint256 balance) external;
    function snapshotGasLastCall(string calldata group, string calldata name)
        external
        returns (uint256 gasUsed);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

/// @dev keccak256("hevm cheat code"), cut to an address: where forge answers.
Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
