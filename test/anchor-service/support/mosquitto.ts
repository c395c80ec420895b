/** A real mosquitto on loopback with the configuration that is shipped, on a test's own certificates and port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { IClientOptions } from 'mqtt';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';
import { toHex } from '../../../core/bytes.ts';
import { freePort } from '../crash/child-service.ts';
import { type Certificate, TestCa } from './certificates.ts';
import type { Vehicle } from './vehicle.ts';

const SHIPPED = join(import.meta.dirname, '../../../anchor-service/broker');
/** Debian has it where only an administrator's path leads. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

export class TestMosquitto {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #ca: TestCa;
  readonly #config: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.url = `mqtts://127.0.0.1:${port}`;
    this.#ca = new TestCa(join(folder, 'pki'));
    this.#config = join(folder, 'mosquitto.conf');
    const { certificate, key } = this.#ca.server();
    mkdirSync(join(folder, 'persistence'), { mode: 0o777 });
    let text = readFileSync(join(SHIPPED, 'mosquitto.conf'), 'utf8');
    for (const [shipped, own] of [
      ['listener 8883', `listener ${port} 127.0.0.1`],
      ['/etc/witnessmark/broker/vehicles-ca.pem', this.#ca.ca],
      ['/etc/witnessmark/broker/broker.pem', certificate],
      ['/etc/witnessmark/broker/broker.key', key],
      ['/etc/witnessmark/broker/vehicles.acl', join(SHIPPED, 'vehicles.acl')],
      ['/var/lib/mosquitto/', join(folder, 'persistence/')],
    ] as const) {
      if (!text.includes(shipped)) throw new Error(`the shipped file has no ${shipped}`);
      text = text.replace(shipped, own);
    }
    // Started as root it would become a user that may not read a test's folder.
    writeFileSync(this.#config, `${text}${process.getuid?.() === 0 ? 'user root\n' : ''}`);
  }

  static async start(folder: string): Promise<TestMosquitto> {
    const broker = new TestMosquitto(folder, await freePort());
    await broker.start();
    return broker;
  }

  /** Returns when it takes connections. */
  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-c', this.#config], {
      stdio: 'ignore',
      env: { ...process.env, PATH },
    });
    process.once('exit', () => child.kill('SIGKILL'));
    this.#process = child;
    const failed = once(child, 'error').then(([error]: unknown[]) => {
      throw error;
    });
    while (!(await Promise.race([this.#listens(), failed]))) await pause(50);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** How the service connects. */
  service(): NonNullable<AnchorServiceOptions['broker']> {
    const { certificate, key } = this.#ca.client('anchor-service');
    return { url: this.url, tls_ca: this.#ca.ca, tls_cert: certificate, tls_key: key };
  }

  /** How a vehicle connects. */
  vehicle(vehicle: Vehicle): IClientOptions {
    return this.options(this.#ca.client(toHex(vehicle.tag)));
  }

  options({ certificate, key }: Certificate): IClientOptions {
    return {
      ca: readFileSync(this.#ca.ca),
      cert: readFileSync(certificate),
      key: readFileSync(key),
    };
  }

  get ca(): TestCa {
    return this.#ca;
  }

  get folder(): string {
    return this.#folder;
  }

  async #listens(): Promise<boolean> {
    return await new Promise((resolve) => {
      const socket = connect(this.#port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => socket.destroy());
      socket.once('connect', () => socket.destroy());
    });
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
