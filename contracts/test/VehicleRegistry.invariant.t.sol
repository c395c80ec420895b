// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VehicleRegistry} from "../src/VehicleRegistry.sol";
import {vm} from "./Vm.sol";

/// @dev A few people with a few vehicles and keys, who try everything at any time; keeps its own account of who
/// owns what, and of every fact that was ever true.
contract People {
    struct Fact {
        bytes32 vehicle;
        uint64 epoch;
        bytes32 commitment;
        uint64 addedBlock;
        uint64 revokedBlock;
    }

    VehicleRegistry public immutable registry;
    mapping(bytes32 vehicle => address[]) public owners;
    mapping(bytes32 vehicle => uint48[]) public starts;
    mapping(bytes32 vehicle => address) public offered;
    bytes32[] public vehicles;
    Fact[] private facts;
    bool public broken;

    constructor(VehicleRegistry vehicleRegistry) {
        registry = vehicleRegistry;
    }

    function person(uint8 pick) private pure returns (address) {
        return address(uint160(0xA0 + pick % 3));
    }

    function vehicleOf(uint8 pick) private view returns (bytes32) {
        return vehicles.length == 0 ? bytes32(uint256(7)) : vehicles[pick % vehicles.length];
    }

    function ownerOf(bytes32 vehicle) private view returns (address) {
        uint256 epochs = owners[vehicle].length;
        return epochs == 0 ? address(0) : owners[vehicle][epochs - 1];
    }

    modifier later(uint8 blocks) {
        vm.roll(block.number + blocks % 3);
        _;
    }

    function register(uint8 who, uint8 saltPick, uint8 blocks) external later(blocks) {
        vm.prank(person(who));
        bytes32 vehicle = registry.register(bytes32(uint256(saltPick % 2)));
        if (owners[vehicle].length > 0) return;
        vehicles.push(vehicle);
        begin(vehicle, person(who));
    }

    function begin(bytes32 vehicle, address owner) private {
        owners[vehicle].push(owner);
        starts[vehicle].push(uint48(block.number));
    }

    function addKey(uint8 who, uint8 vehiclePick, uint8 keyPick, uint8 blocks) external later(blocks) {
        bytes32 vehicle = vehicleOf(vehiclePick);
        bytes32 commitment = bytes32(uint256(keyPick % 3));
        Fact storage known = factOf(vehicle, commitment);
        bool may = ownerOf(vehicle) == person(who) && commitment != 0 && known.revokedBlock == 0;
        vm.prank(person(who));
        try registry.addKey(vehicle, commitment) {
            if (!may) broken = true;
            if (known.addedBlock != 0) return;
            uint64 epoch = uint64(owners[vehicle].length - 1);
            facts.push(Fact(vehicle, epoch, commitment, uint64(block.number), 0));
        } catch {
            if (may) broken = true;
        }
    }

    function revokeKey(uint8 who, uint8 vehiclePick, uint8 keyPick, uint8 blocks) external later(blocks) {
        bytes32 vehicle = vehicleOf(vehiclePick);
        bytes32 commitment = bytes32(uint256(keyPick % 3));
        Fact storage known = factOf(vehicle, commitment);
        bool may = ownerOf(vehicle) == person(who) && known.addedBlock != 0;
        vm.prank(person(who));
        try registry.revokeKey(vehicle, commitment) {
            if (!may) broken = true;
            if (known.revokedBlock == 0) known.revokedBlock = uint64(block.number);
        } catch {
            if (may) broken = true;
        }
    }

    function offer(uint8 who, uint8 vehiclePick, uint8 toPick, uint8 blocks) external later(blocks) {
        bytes32 vehicle = vehicleOf(vehiclePick);
        address to = toPick % 4 == 0 ? address(0) : person(toPick);
        bool may = ownerOf(vehicle) == person(who);
        vm.prank(person(who));
        try registry.offer(vehicle, to) {
            if (!may) broken = true;
            offered[vehicle] = to;
        } catch {
            if (may) broken = true;
        }
    }

    function accept(uint8 who, uint8 vehiclePick, uint8 blocks) external later(blocks) {
        bytes32 vehicle = vehicleOf(vehiclePick);
        bool may = offered[vehicle] == person(who);
        vm.prank(person(who));
        try registry.accept(vehicle) {
            if (!may) broken = true;
            offered[vehicle] = address(0);
            begin(vehicle, person(who));
        } catch {
            if (may) broken = true;
        }
    }

    /// @dev The fact of the epoch of now, or an empty one.
    function factOf(bytes32 vehicle, bytes32 commitment) private view returns (Fact storage found) {
        uint256 epochs = owners[vehicle].length;
        for (uint256 i = 0; i < facts.length; i++) {
            found = facts[i];
            if (found.vehicle == vehicle && found.commitment == commitment && found.epoch + 1 == epochs) {
                return found;
            }
        }
        return none();
    }

    function none() private pure returns (Fact storage empty) {
        assembly {
            empty.slot := not(0)
        }
    }

    function countOfFacts() external view returns (uint256) {
        return facts.length;
    }

    function fact(uint256 index) external view returns (Fact memory) {
        return facts[index];
    }

    function countOfVehicles() external view returns (uint256) {
        return vehicles.length;
    }

    function countOfEpochs(bytes32 vehicle) external view returns (uint256) {
        return owners[vehicle].length;
    }
}

contract VehicleRegistryInvariantTest {
    VehicleRegistry private registry;
    People private people;

    function setUp() public {
        registry = new VehicleRegistry();
        people = new People(registry);
    }

    /// @dev Read by forge: the only contract it may call in a run.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(people);
    }

    function invariant_EveryoneMayExactlyWhatTheRulesSay() external view {
        assert(!people.broken());
    }

    function invariant_EveryEpochKeepsItsOwnerAndItsStart() external view {
        for (uint256 i = 0; i < people.countOfVehicles(); i++) {
            bytes32 vehicle = people.vehicles(i);
            uint256 epochs = people.countOfEpochs(vehicle);
            assert(registry.epochOf(vehicle) == epochs - 1);
            assert(registry.offers(vehicle) == people.offered(vehicle));
            for (uint256 epoch = 0; epoch < epochs; epoch++) {
                (address owner, uint48 startBlock,) = registry.epochs(vehicle, uint64(epoch));
                assert(owner == people.owners(vehicle, epoch) && startBlock == people.starts(vehicle, epoch));
            }
            (address none,,) = registry.epochs(vehicle, uint64(epochs));
            assert(none == address(0));
        }
    }

    function invariant_WhatWasSaidOfAKeyNeverChanges() external view {
        for (uint256 i = 0; i < people.countOfFacts(); i++) {
            People.Fact memory fact = people.fact(i);
            (uint64 addedBlock,, uint64 revokedBlock,) =
                registry.keys(fact.vehicle, fact.epoch, fact.commitment);
            assert(addedBlock == fact.addedBlock && revokedBlock == fact.revokedBlock);
        }
    }
}
