// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VehicleRegistry} from "../src/VehicleRegistry.sol";
import {IVehicleRegistry} from "../src/interfaces/IVehicleRegistry.sol";
import {Vm, vm} from "./Vm.sol";

contract VehicleRegistryTest {
    VehicleRegistry private registry;

    function setUp() public {
        registry = new VehicleRegistry();
    }

    function at(uint32 blockNumber, uint32 time) private {
        vm.roll(uint256(blockNumber) + 1);
        vm.warp(uint256(time) + 1);
    }

    function registered(address owner, bytes32 salt) private returns (bytes32 vehicle) {
        vm.prank(owner);
        vehicle = registry.register(salt);
    }

    function sold(bytes32 vehicle, address from, address to) private {
        vm.prank(from);
        registry.offer(vehicle, to);
        vm.prank(to);
        registry.accept(vehicle);
    }

    function writes() private returns (uint256) {
        (, bytes32[] memory slots) = vm.accesses(address(registry));
        return slots.length;
    }

    function testFuzz_RegistrationStartsEpochZeroNow(address owner, bytes32 salt, uint32 number, uint32 time)
        public
    {
        vm.assume(owner != address(0));
        at(number, time);
        vm.recordLogs();
        bytes32 vehicle = registered(owner, salt);

        (address stored, uint48 startBlock, uint48 startTime) = registry.epochs(vehicle, 0);
        assert(stored == owner && startBlock == block.number && startTime == block.timestamp);
        assert(registry.epochOf(vehicle) == 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assert(logs.length == 1 && logs[0].topics[0] == IVehicleRegistry.EpochStarted.selector);
        assert(logs[0].topics[1] == vehicle && logs[0].topics[3] == bytes32(uint256(uint160(owner))));
    }

    function testFuzz_RegistrationAgainWritesNothingEvenAfterASale(address owner, address buyer, bytes32 salt)
        public
    {
        vm.assume(owner != address(0) && buyer != address(0));
        bytes32 vehicle = registered(owner, salt);
        sold(vehicle, owner, buyer);
        vm.record();
        assert(registered(owner, salt) == vehicle);
        assert(writes() == 0);
        assert(registry.epochOf(vehicle) == 1);
    }

    function testFuzz_TwoSendersOfOneSaltHaveTwoVehicles(address a, address b, bytes32 salt) public {
        vm.assume(a != b && a != address(0) && b != address(0));
        assert(registered(a, salt) != registered(b, salt));
    }

    function testFuzz_KeyIsAddedNowAndRevokedNow(bytes32 commitment, uint32 number, uint32 later) public {
        vm.assume(commitment != 0);
        bytes32 vehicle = registry.register("salt");
        at(number, number);
        uint256 added = block.number;
        registry.addKey(vehicle, commitment);
        at(later, later);
        registry.revokeKey(vehicle, commitment);

        (uint64 addedBlock, uint64 addedTime, uint64 revokedBlock, uint64 revokedTime) =
            registry.keys(vehicle, 0, commitment);
        assert(addedBlock == added && addedTime == added);
        assert(revokedBlock == block.number && revokedTime == block.timestamp);
    }

    function testFuzz_RepeatsWriteNothingAndMoveNoTime(bytes32 commitment, uint32 later) public {
        vm.assume(commitment != 0);
        bytes32 vehicle = registry.register("salt");
        registry.addKey(vehicle, commitment);
        (uint64 addedBlock,,,) = registry.keys(vehicle, 0, commitment);
        at(later, later);
        vm.recordLogs();
        vm.record();
        registry.addKey(vehicle, commitment);
        assert(writes() == 0);
        registry.revokeKey(vehicle, commitment);
        (,, uint64 revokedBlock,) = registry.keys(vehicle, 0, commitment);
        vm.roll(block.number + 7);
        vm.record();
        registry.revokeKey(vehicle, commitment);
        assert(writes() == 0);
        assert(vm.getRecordedLogs().length == 1);
        (uint64 addedAfter,, uint64 revokedAfter,) = registry.keys(vehicle, 0, commitment);
        assert(addedAfter == addedBlock && revokedAfter == revokedBlock);
    }

    function testFuzz_ARevokedKeyStaysRevoked(bytes32 commitment) public {
        vm.assume(commitment != 0);
        bytes32 vehicle = registry.register("salt");
        registry.addKey(vehicle, commitment);
        registry.revokeKey(vehicle, commitment);
        vm.expectRevert(abi.encodeWithSelector(IVehicleRegistry.RevokedKey.selector), address(registry));
        registry.addKey(vehicle, commitment);
    }

    function testFuzz_AnUnknownKeyIsNotRevoked(bytes32 commitment, bytes32 other) public {
        vm.assume(commitment != 0 && commitment != other);
        bytes32 vehicle = registry.register("salt");
        registry.addKey(vehicle, commitment);
        vm.expectRevert(abi.encodeWithSelector(IVehicleRegistry.UnknownKey.selector), address(registry));
        registry.revokeKey(vehicle, other);
    }

    function test_TheZeroCommitmentIsRefused() public {
        bytes32 vehicle = registry.register("salt");
        vm.expectRevert(abi.encodeWithSelector(IVehicleRegistry.ZeroCommitment.selector), address(registry));
        registry.addKey(vehicle, 0);
    }

    function testFuzz_AStrangerChangesNothing(address owner, address stranger, bytes32 commitment) public {
        vm.assume(owner != address(0) && owner != stranger && commitment != 0);
        bytes32 vehicle = registered(owner, "salt");
        vm.prank(owner);
        registry.addKey(vehicle, commitment);
        bytes memory refusal = abi.encodeWithSelector(IVehicleRegistry.NotOwner.selector, owner);
        vm.expectRevert(refusal, address(registry));
        vm.prank(stranger);
        registry.addKey(vehicle, ~commitment);
        vm.expectRevert(refusal, address(registry));
        vm.prank(stranger);
        registry.revokeKey(vehicle, commitment);
        vm.expectRevert(refusal, address(registry));
        vm.prank(stranger);
        registry.offer(vehicle, stranger);
    }

    function testFuzz_NobodyOwnsWhatNobodyRegistered(bytes32 vehicle, address sender) public {
        vm.assume(sender != address(0));
        bytes memory refusal = abi.encodeWithSelector(IVehicleRegistry.NotOwner.selector, address(0));
        vm.expectRevert(refusal, address(registry));
        vm.prank(sender);
        registry.addKey(vehicle, "key");
        vm.expectRevert(refusal, address(registry));
        vm.prank(sender);
        registry.offer(vehicle, sender);
        vm.expectRevert(
            abi.encodeWithSelector(IVehicleRegistry.NotOffered.selector, address(0)), address(registry)
        );
        vm.prank(sender);
        registry.accept(vehicle);
    }

    function testFuzz_ASaleTakesTwoStepsAndStartsTheNextEpoch(address buyer, uint32 number) public {
        vm.assume(buyer != address(0) && buyer != address(this));
        bytes32 vehicle = registry.register("salt");
        registry.offer(vehicle, buyer);
        assert(registry.epochOf(vehicle) == 0 && registry.offers(vehicle) == buyer);
        at(number, number);
        vm.prank(buyer);
        registry.accept(vehicle);

        assert(registry.epochOf(vehicle) == 1 && registry.offers(vehicle) == address(0));
        (address seller,,) = registry.epochs(vehicle, 0);
        (address owner, uint48 startBlock, uint48 startTime) = registry.epochs(vehicle, 1);
        assert(seller == address(this) && owner == buyer);
        assert(startBlock == block.number && startTime == block.timestamp);
    }

    function testFuzz_OnlyWhomItIsOfferedToTakesIt(address buyer, address thief) public {
        vm.assume(thief != buyer && thief != address(0));
        bytes32 vehicle = registry.register("salt");
        registry.offer(vehicle, buyer);
        vm.expectRevert(
            abi.encodeWithSelector(IVehicleRegistry.NotOffered.selector, buyer), address(registry)
        );
        vm.prank(thief);
        registry.accept(vehicle);
    }

    function testFuzz_AnOfferThatIsWithdrawnOrTakenIsOver(address buyer) public {
        vm.assume(buyer != address(0) && buyer != address(this));
        bytes memory none = abi.encodeWithSelector(IVehicleRegistry.NotOffered.selector, address(0));
        bytes32 vehicle = registry.register("salt");
        registry.offer(vehicle, buyer);
        registry.offer(vehicle, address(0));
        vm.expectRevert(none, address(registry));
        vm.prank(buyer);
        registry.accept(vehicle);

        sold(vehicle, address(this), buyer);
        vm.expectRevert(none, address(registry));
        vm.prank(buyer);
        registry.accept(vehicle);
    }

    /// @dev What ERC-1056 lacks: keys of the seller do not reach into the buyer's epoch, and he can touch neither.
    function testFuzz_AfterTheSaleTheSellerAndItsKeysAreOver(address buyer, bytes32 commitment) public {
        vm.assume(buyer != address(0) && buyer != address(this) && commitment != 0);
        bytes32 vehicle = registry.register("salt");
        registry.addKey(vehicle, commitment);
        sold(vehicle, address(this), buyer);
        (uint64 addedBlock,,,) = registry.keys(vehicle, 1, commitment);
        assert(addedBlock == 0);
        bytes memory refusal = abi.encodeWithSelector(IVehicleRegistry.NotOwner.selector, buyer);
        vm.expectRevert(refusal, address(registry));
        registry.addKey(vehicle, commitment);
        vm.expectRevert(refusal, address(registry));
        registry.revokeKey(vehicle, commitment);
        // The buyer cannot take back what the seller vouched for either.
        vm.expectRevert(abi.encodeWithSelector(IVehicleRegistry.UnknownKey.selector), address(registry));
        vm.prank(buyer);
        registry.revokeKey(vehicle, commitment);
        (,, uint64 revokedBlock,) = registry.keys(vehicle, 0, commitment);
        assert(revokedBlock == 0);
    }

    /// @dev The formulas by which a verifier finds each fact, with no compiler at hand: core/registry-words.ts.
    function testFuzz_FactsAreWhereAProofLooksForThem(bytes32 salt, bytes32 commitment, uint32 number)
        public
    {
        vm.assume(commitment != 0);
        at(number, number);
        bytes32 vehicle = registry.register(salt);
        registry.addKey(vehicle, commitment);
        registry.offer(vehicle, address(0xB0B));

        bytes32 inEpochs = keccak256(abi.encode(uint64(0), keccak256(abi.encode(vehicle, uint256(0)))));
        uint256 epoch = (block.timestamp << 208) | (block.number << 160) | uint160(address(this));
        assert(vm.load(address(registry), inEpochs) == bytes32(epoch));
        bytes32 inKeys = keccak256(
            abi.encode(
                commitment, keccak256(abi.encode(uint64(0), keccak256(abi.encode(vehicle, uint256(1)))))
            )
        );
        uint256 validity = (block.timestamp << 64) | block.number;
        assert(vm.load(address(registry), inKeys) == bytes32(validity));
        registry.revokeKey(vehicle, commitment);
        validity |= (block.timestamp << 192) | (block.number << 128);
        assert(vm.load(address(registry), inKeys) == bytes32(validity));
        bytes32 inOffers = keccak256(abi.encode(vehicle, uint256(3)));
        assert(vm.load(address(registry), inOffers) == bytes32(uint256(0xB0B)));

        vm.prank(address(0xB0B));
        registry.accept(vehicle);
        bytes32 inEpochOf = keccak256(abi.encode(vehicle, uint256(2)));
        assert(vm.load(address(registry), inEpochOf) == bytes32(uint256(1)));
    }

    function testFuzz_EtherIsRefused(uint96 amount) public {
        vm.assume(amount > 0);
        vm.deal(address(this), amount);
        (bool sent,) = address(registry).call{value: amount}("");
        (bool paid,) =
            address(registry).call{value: amount}(abi.encodeCall(IVehicleRegistry.register, ("salt")));
        assert(!sent && !paid);
    }
}
