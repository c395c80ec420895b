/** `witnessmark enrol`: a unit gets its owner, in three steps on two machines. */
import { parseArgs } from 'node:util';
import { renderUnicodeCompact } from 'uqr';
import { type AgentConfig, DEFAULTS, readAgentConfig } from '../../agent/config.ts';
import type { Registration } from '../../agent/enrolment.ts';
import { acceptUnitEnrolment, requestUnitEnrolment } from '../../agent/main.ts';
import { fromHex, toHex } from '../../core/bytes.ts';
import { pairingCode } from '../../core/enrolment-request.ts';
import { UserError } from '../../core/errors.ts';
import {
  draftEnrolment,
  type EnrolmentOrder,
  enrolUnit,
  finishEnrolment,
  registerVehicle,
  registrationCalls,
  type SignedByOwner,
} from '../../owner/enrolment.ts';
import { readAddress } from '../../owner/identity/did.ts';
import { proveRegistration } from '../../owner/registration-proof.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark enrol (--data DIR | --config FILE) --serial TEXT [--out FILE]
       witnessmark enrol --owner DIR --request FILE|TEXT --code CODE --vin VIN --registry ADDRESS
                         (--chain ID | --rpc URL) --out FILE [--odometer KM] [--password-file FILE]
       witnessmark enrol (--data DIR | --config FILE) --accept FILE [--proof FILE | --unproven]
       witnessmark enrol --owner DIR --register --rpc URL [--password-file FILE]
       witnessmark enrol --owner DIR --prove --rpc URL --service URL --out FILE
       witnessmark enrol --owner DIR --request … --typed-data FILE; then --owner DIR --signature HEX --out FILE

Gives a unit its owner. On the unit, the first makes its keys and shows a request, as text and QR code, with a pairing code.
On the owner's machine, the second signs it, with the recovery key to which the unit will seal what only the owner can read;
with --rpc it also registers vehicle and key. On the unit, the third takes the answer; the agent's next start is enrolled.
The fourth registers later, or again when its fate was not known. A unit that was handed over asks for more than a signature: the
fifth proves that the registry knows the enrolment, under the newest block that the unit's service has signed, and the third, with
--config, takes that proof. For a wallet elsewhere the sixth writes what it is to sign, as eth_signTypedData_v4 takes it, and then
takes its signature and shows the calls that register.

  --data DIR            the unit's data folder; its device key is a file in it
  --config FILE         the agent's configuration instead, which says where the device key is: in a file, a TPM or a token
  --serial TEXT         what is printed on the unit
  --out FILE            the request, or the answer; is not written over
  --owner DIR           the owner's folder: witnessmark did --new makes it
  --request FILE|TEXT   the unit's request, or what its QR code says
  --code CODE           the pairing code on the unit's screen
  --vin VIN             stays here: the enrolment has only a salted commitment
  --odometer KM
  --registry ADDRESS    of VehicleRegistry on the chain
  --hand-over FILE      of the owner before, when the vehicle was bought: registering then takes it over
  --service URL         HTTP address of an anchor service that the unit is configured for
  --proof FILE          of --prove: that the registry knows the enrolment
  --unproven            takes the enrolment of a unit that was handed over by the owner's signature alone: weaker
  --chain ID, --rpc URL which chain; with an endpoint the vehicle is registered at once
  --typed-data FILE     what a wallet elsewhere is to sign; is not written over
  --signature HEX       what it signed: 65 bytes
  --contract-signature HEX  of a wallet that is a contract (ERC-1271)`;

const TEXT_PREFIX = 'witnessmark:enrol:';

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      serial: { type: 'string' },
      out: { type: 'string' },
      accept: { type: 'string' },
      owner: { type: 'string' },
      request: { type: 'string' },
      code: { type: 'string' },
      vin: { type: 'string' },
      odometer: { type: 'string' },
      registry: { type: 'string' },
      chain: { type: 'string' },
      rpc: { type: 'string' },
      'hand-over': { type: 'string' },
      register: { type: 'boolean' },
      prove: { type: 'boolean' },
      service: { type: 'string' },
      proof: { type: 'string' },
      unproven: { type: 'boolean' },
      'typed-data': { type: 'string' },
      signature: { type: 'string' },
      'contract-signature': { type: 'string' },
      'password-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const { data, config, owner } = values;
  if ([data, config, owner].filter((value) => value !== undefined).length !== 1) {
    throw new UserError(
      'ARGUMENTS',
      'expected --data DIR or --config FILE on the unit, or --owner DIR on the owner’s machine',
    );
  }
  if (owner === undefined) {
    const unit =
      config === undefined
        ? { dataDir: need(data, '--data DIR'), deviceKey: DEFAULTS.deviceKey }
        : readAgentConfig(config);
    if (values.accept !== undefined) accept(unit, values.accept, registrationOf(unit, values), io);
    else ask(unit, need(values.serial, '--serial TEXT or --accept FILE'), values.out, io);
    return 0;
  }
  await ofOwner(owner, values, io);
  return 0;
}

/** Without a configuration no service is known. */
type UnitPlace = Pick<AgentConfig, 'dataDir' | 'deviceKey'> &
  Partial<Pick<AgentConfig, 'service' | 'nextServices'>>;

function registrationOf(
  { service, nextServices = [] }: UnitPlace,
  { proof, unproven }: { readonly proof?: string; readonly unproven?: boolean },
): Registration {
  if (proof !== undefined && unproven === true) {
    throw new UserError('ARGUMENTS', 'expected either --proof FILE or --unproven');
  }
  if (proof === undefined) return unproven === true ? 'unproven' : 'none';
  if (service === undefined) {
    const message = 'expected --config FILE with --proof FILE: it says which services are believed';
    throw new UserError('ARGUMENTS', message);
  }
  return { proof: readGiven(proof), services: [service, ...nextServices] };
}

type Values = Partial<
  Record<
    | 'request'
    | 'code'
    | 'vin'
    | 'odometer'
    | 'registry'
    | 'chain'
    | 'rpc'
    | 'out'
    | 'password-file'
    | 'hand-over'
    | 'service'
    | 'typed-data'
    | 'signature'
    | 'contract-signature',
    string
  >
> & { readonly register?: boolean; readonly prove?: boolean };

async function ofOwner(folder: string, values: Values, io: Io): Promise<void> {
  if (values.prove === true) {
    await prove(folder, values, io);
    return;
  }
  const { rpc, signature, 'contract-signature': contractSignature } = values;
  const elsewhere = signature ?? contractSignature;
  if (elsewhere !== undefined) {
    const kind = signature === undefined ? 'contract' : 'key';
    answer(finishEnrolment(folder, { kind, bytes: fromHex(elsewhere) }), values.out, io);
    print(io.stdout, 'to register it, send from the same wallet:');
    for (const { to, data } of registrationCalls(folder)) {
      print(io.stdout, `  to 0x${toHex(to)} data 0x${toHex(data)}`);
    }
    return;
  }
  if (values['typed-data'] !== undefined) {
    const typedData = await draftEnrolment(orderOf(folder, values));
    writeNew(values['typed-data'], new TextEncoder().encode(typedData));
    return;
  }
  if (values.register === true && rpc === undefined) {
    throw new UserError('ARGUMENTS', 'expected --rpc URL with --register');
  }
  const order = values.register === true ? undefined : orderOf(folder, values);
  if (order !== undefined) need(values.out, '--out FILE');
  const password = await readPassword(values['password-file'], io);
  if (order !== undefined) answer(await enrolUnit(order, password), values.out, io);
  if (rpc === undefined) return;
  const { vehicleNumber, blockNumber } = await registerVehicle(folder, password, rpc);
  const vehicle = `vehicle ${toHex(vehicleNumber)}`;
  print(io.stdout, `${vehicle} and its device key are registered in block ${blockNumber}`);
}

/** Needs no password: everything is public. */
async function prove(folder: string, values: Values, io: Io): Promise<void> {
  const out = need(values.out, '--out FILE');
  const places = {
    rpc: need(values.rpc, '--rpc URL'),
    service: toUrl('--service', need(values.service, '--service URL')),
  };
  const { proof, blockNumber } = await proveRegistration(folder, places);
  writeNew(out, proof);
  print(io.stdout, `${out}: registered, as block ${blockNumber} shows; for the unit`);
}

function ask(unit: UnitPlace, serial: string, out: string | undefined, io: Io): void {
  const request = requestUnitEnrolment(unit.dataDir, serial, unit.deviceKey);
  const text = TEXT_PREFIX + Buffer.from(request).toString('base64url');
  if (out !== undefined) writeNew(out, request);
  print(io.stdout, text, '');
  if (io.stdout.isTTY === true) print(io.stdout, renderUnicodeCompact(text), '');
  print(io.stdout, `pairing code: ${pairingCode(request)}`);
}

function orderOf(folder: string, values: Values): EnrolmentOrder {
  const { chain, rpc, odometer } = values;
  if ((chain === undefined) === (rpc === undefined)) {
    throw new UserError('ARGUMENTS', 'expected either --chain ID or --rpc URL');
  }
  return {
    folder,
    request: readRequestArgument(need(values.request, '--request FILE|TEXT')),
    code: need(values.code, '--code CODE'),
    vin: need(values.vin, '--vin VIN'),
    registry: readAddress(need(values.registry, '--registry ADDRESS')),
    odometerKm: odometer === undefined ? undefined : Number(toDigits('--odometer', odometer)),
    handOver: values['hand-over'] === undefined ? undefined : readGiven(values['hand-over']),
    chain: rpc === undefined ? { id: BigInt(toDigits('--chain', chain ?? '')) } : { rpc },
  };
}

function answer({ payload, enrolmentId }: SignedByOwner, file: string | undefined, io: Io): void {
  const out = need(file, '--out FILE');
  writeNew(out, payload);
  print(io.stdout, `${out}: enrolment ${toHex(enrolmentId)}, for the unit`);
}

function accept(unit: UnitPlace, file: string, registration: Registration, io: Io): void {
  const { dataDir, deviceKey } = unit;
  const payload = readGiven(file);
  const enrolled = acceptUnitEnrolment(dataDir, payload, deviceKey, registration);
  const { id, enrolment, owner, registeredAt } = enrolled;
  const by =
    owner === 'verified'
      ? ''
      : ', whose wallet is a contract: its signature cannot be checked here';
  if (registeredAt !== undefined) {
    print(io.stdout, `the registry knows this enrolment in block ${registeredAt}`);
  } else if (registration === 'unproven') {
    print(io.stdout, 'taken by its signature alone: that the registry knows it is not shown');
  }
  print(
    io.stdout,
    `enrolled: ${toHex(id)}`,
    `owner 0x${toHex(enrolment.owner)}${by}`,
    'in force from the next start of the agent',
  );
}

function readRequestArgument(argument: string): Uint8Array {
  if (!argument.startsWith(TEXT_PREFIX)) return readGiven(argument);
  return Buffer.from(argument.slice(TEXT_PREFIX.length), 'base64url');
}

function toUrl(option: string, text: string): string {
  if (/^https?:/.test(text) && URL.canParse(text)) return text;
  throw new UserError('ARGUMENTS', `expected ${option} to be an http or https URL, got "${text}"`);
}

function toDigits(option: string, text: string): string {
  if (/^\d{1,15}$/.test(text)) return text;
  throw new UserError('ARGUMENTS', `expected ${option} to be a number, got "${text}"`);
}
