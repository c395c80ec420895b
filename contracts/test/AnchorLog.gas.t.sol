// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {vm} from "./Vm.sol";

/// @dev Gas of whole transactions as a receipt states it: 21,000 base, calldata and execution. Fixed
/// arguments without zero bytes in the hash (each zero byte of calldata makes a transaction 12 gas cheaper)
/// and with the longest sequence, so the figures are the most that an anchor can cost.
contract AnchorLogGasTest {
    uint256 private constant MAX_GAS_PER_WINDOW = 47_000;
    uint64 private constant LAST = type(uint64).max;
    bytes32 private constant HASH = bytes32(type(uint256).max);
    string private constant GROUP = "AnchorLog";

    AnchorLog private log;

    function setUp() public {
        log = new AnchorLog();
    }

    function test_GasOfANewWindow() public {
        log.anchor(LAST - 1, HASH);
        uint256 first = vm.snapshotGasLastCall(GROUP, "anchor: first window of a publisher");
        log.anchor(LAST, HASH);
        uint256 next = vm.snapshotGasLastCall(GROUP, "anchor: next window of a publisher");
        assert(first <= MAX_GAS_PER_WINDOW && next <= MAX_GAS_PER_WINDOW);
    }

    function test_GasOfARepeat() public {
        log.anchor(LAST, HASH);
        log.anchor(LAST, HASH);
        vm.snapshotGasLastCall(GROUP, "anchor: same hash again");
    }

    function test_GasOfASmallSequence() public {
        log.anchor(1, HASH);
        vm.snapshotGasLastCall(GROUP, "anchor: window sequence below 256");
    }

    function test_SizeOfTheCode() public {
        vm.snapshotValue(GROUP, "runtime code, bytes", address(log).code.length);
    }
}
