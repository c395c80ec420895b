// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.4;

/// @title Who owned a vehicle when, and which device keys that owner vouched for.
/// @notice Permissionless: a vehicle is a number that its first owner draws. Nothing here says which car, which
/// person or which key is meant: owners are addresses, best a fresh one for each vehicle, and keys are salted
/// commitments that only a bundle opens. Every fact stands in a mapping, so that a storage proof (EIP-1186)
/// shows it under any later block; events are for finding, not for proving.
/// @dev Nothing is ever overwritten or deleted, except an offer that nobody took. Times are those of the block:
/// nobody can date a fact back.
interface IVehicleRegistry {
    /// @notice An epoch began: the first with the registration, any other with a sale.
    event EpochStarted(bytes32 indexed vehicle, uint64 indexed epoch, address indexed owner);

    /// @notice The owner offers the vehicle to `to`, or withdraws the offer (`to` is zero).
    event Offered(bytes32 indexed vehicle, uint64 indexed epoch, address indexed to);

    /// @notice The owner of the epoch vouches for a device key.
    event KeyAdded(bytes32 indexed vehicle, uint64 indexed epoch, bytes32 commitment);

    /// @notice From this block on the owner does not vouch for it any more.
    event KeyRevoked(bytes32 indexed vehicle, uint64 indexed epoch, bytes32 commitment);

    /// @notice The sender does not own the vehicle's epoch of now.
    /// @param owner Who does; zero for a vehicle that nobody registered.
    error NotOwner(address owner);

    /// @notice The vehicle is not offered to the sender.
    /// @param to To whom it is offered; zero when it is not.
    error NotOffered(address to);

    /// @notice No key was added by this commitment in the epoch of now.
    error UnknownKey();

    /// @notice The key was revoked before, and stays so. Another enrolment has another commitment.
    error RevokedKey();

    /// @notice The zero commitment was offered: nothing can open it.
    error ZeroCommitment();

    /// @notice Registers a vehicle with the sender as owner of epoch 0.
    /// @dev The number binds the sender: who sees the transaction waiting cannot take it. Succeeds without a write
    /// when the sender registered it before, so a transaction may be sent again when its fate is unknown.
    /// @param salt 32 random bytes.
    /// @return vehicle keccak256(sender . salt), each padded to 32 bytes.
    function register(bytes32 salt) external returns (bytes32 vehicle);

    /// @notice Vouches for a device key in the epoch of now. A repeat succeeds without a write.
    /// @param commitment SHA-256("wmk-enrolment" . salt . enrolment id), see spec/enrolment.md; not zero.
    function addKey(bytes32 vehicle, bytes32 commitment) external;

    /// @notice Ends the validity of a key of the epoch of now, from this block on. A repeat succeeds without a write.
    function revokeKey(bytes32 vehicle, bytes32 commitment) external;

    /// @notice First step of a sale: offers the vehicle. Zero withdraws.
    function offer(bytes32 vehicle, address to) external;

    /// @notice Second step: whom it was offered to becomes the owner of the next epoch.
    function accept(bytes32 vehicle) external;

    /// @notice The number of the epoch of now; 0 also for a vehicle that nobody registered.
    function epochOf(bytes32 vehicle) external view returns (uint64 epoch);

    /// @notice An epoch; it ends where the next one starts.
    /// @return owner Zero when there is no such epoch.
    /// @return startBlock Number of the block that it started in.
    /// @return startTime Time of that block, seconds since 1970.
    function epochs(bytes32 vehicle, uint64 epoch)
        external
        view
        returns (address owner, uint48 startBlock, uint48 startTime);

    /// @notice When a key was added and revoked: number and time of the blocks, zero for never.
    function keys(bytes32 vehicle, uint64 epoch, bytes32 commitment)
        external
        view
        returns (uint64 addedBlock, uint64 addedTime, uint64 revokedBlock, uint64 revokedTime);

    /// @notice To whom the vehicle is offered now; zero when it is not.
    function offers(bytes32 vehicle) external view returns (address to);
}
