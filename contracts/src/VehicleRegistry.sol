// SPDX-License-Identifier: Apache-2.0
// Exact, because a trust policy names the hash of the code that this compiler makes.
pragma solidity 0.8.37;

import {IVehicleRegistry} from "./interfaces/IVehicleRegistry.sol";

/// @title VehicleRegistry
/// @notice Owners by epoch and their device keys, each fact in one storage word that a proof can show.
/// @dev No admin, no proxy, no ether. Each record fits one slot: a fact is one proof.
contract VehicleRegistry is IVehicleRegistry {
    struct Epoch {
        address owner;
        uint48 startBlock;
        uint48 startTime;
    }

    struct Validity {
        uint64 addedBlock;
        uint64 addedTime;
        uint64 revokedBlock;
        uint64 revokedTime;
    }

    /// @inheritdoc IVehicleRegistry
    mapping(bytes32 vehicle => mapping(uint64 epoch => Epoch)) public epochs;

    /// @inheritdoc IVehicleRegistry
    mapping(bytes32 vehicle => mapping(uint64 epoch => mapping(bytes32 commitment => Validity))) public keys;

    /// @inheritdoc IVehicleRegistry
    mapping(bytes32 vehicle => uint64 epoch) public epochOf;

    /// @inheritdoc IVehicleRegistry
    mapping(bytes32 vehicle => address to) public offers;

    /// @inheritdoc IVehicleRegistry
    function register(bytes32 salt) external returns (bytes32 vehicle) {
        vehicle = keccak256(abi.encode(msg.sender, salt));
        if (epochs[vehicle][0].owner == address(0)) start(vehicle, 0);
    }

    /// @inheritdoc IVehicleRegistry
    function addKey(bytes32 vehicle, bytes32 commitment) external {
        if (commitment == 0) revert ZeroCommitment();
        uint64 epoch = epochOfOwner(vehicle);
        Validity storage key = keys[vehicle][epoch][commitment];
        if (key.revokedBlock != 0) revert RevokedKey();
        if (key.addedBlock != 0) return;

        key.addedBlock = uint64(block.number);
        key.addedTime = uint64(block.timestamp);
        emit KeyAdded(vehicle, epoch, commitment);
    }

    /// @inheritdoc IVehicleRegistry
    function revokeKey(bytes32 vehicle, bytes32 commitment) external {
        uint64 epoch = epochOfOwner(vehicle);
        Validity storage key = keys[vehicle][epoch][commitment];
        if (key.addedBlock == 0) revert UnknownKey();
        if (key.revokedBlock != 0) return;

        key.revokedBlock = uint64(block.number);
        key.revokedTime = uint64(block.timestamp);
        emit KeyRevoked(vehicle, epoch, commitment);
    }

    /// @inheritdoc IVehicleRegistry
    function offer(bytes32 vehicle, address to) external {
        uint64 epoch = epochOfOwner(vehicle);
        offers[vehicle] = to;
        emit Offered(vehicle, epoch, to);
    }

    /// @inheritdoc IVehicleRegistry
    function accept(bytes32 vehicle) external {
        address to = offers[vehicle];
        if (to != msg.sender) revert NotOffered(to);
        delete offers[vehicle];
        uint64 epoch = epochOf[vehicle] + 1;
        epochOf[vehicle] = epoch;
        start(vehicle, epoch);
    }

    function start(bytes32 vehicle, uint64 epoch) private {
        epochs[vehicle][epoch] = Epoch(msg.sender, uint48(block.number), uint48(block.timestamp));
        emit EpochStarted(vehicle, epoch, msg.sender);
    }

    function epochOfOwner(bytes32 vehicle) private view returns (uint64 epoch) {
        epoch = epochOf[vehicle];
        address owner = epochs[vehicle][epoch].owner;
        if (owner != msg.sender) revert NotOwner(owner);
    }
}
