// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VehicleRegistry} from "../src/VehicleRegistry.sol";
import {vm} from "./Vm.sol";

/// @dev Gas of whole transactions as a receipt states it: 21,000 base, calldata and execution.
contract VehicleRegistryGasTest {
    bytes32 private constant KEY = bytes32(type(uint256).max);
    address private constant BUYER = address(0xB0B);
    string private constant GROUP = "VehicleRegistry";

    VehicleRegistry private registry;

    function setUp() public {
        registry = new VehicleRegistry();
    }

    function test_GasOfALife() public {
        bytes32 vehicle = registry.register(KEY);
        vm.snapshotGasLastCall(GROUP, "register");
        registry.addKey(vehicle, KEY);
        vm.snapshotGasLastCall(GROUP, "addKey");
        registry.revokeKey(vehicle, KEY);
        vm.snapshotGasLastCall(GROUP, "revokeKey");
        registry.offer(vehicle, BUYER);
        vm.snapshotGasLastCall(GROUP, "offer");
        vm.prank(BUYER);
        registry.accept(vehicle);
        vm.snapshotGasLastCall(GROUP, "accept: first sale");
    }

    function test_SizeOfTheCode() public {
        vm.snapshotValue(GROUP, "runtime code, bytes", address(registry).code.length);
    }
}
