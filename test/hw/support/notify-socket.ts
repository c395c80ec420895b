/** The service manager's end: a real datagram socket, which Node cannot open, so python3 does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const RECEIVER = `
import select, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
receiver.bind('\\0' + path[1:] if path.startswith('@') else path)
print('bound', flush=True)
# Its standard input ends with the test, however that ends.
while sys.stdin not in select.select([receiver, sys.stdin], [], [])[0]:
    print(receiver.recv(8192).decode().replace('\\n', ' '), flush=True)
`;

export class NotifySocket implements AsyncDisposable {
  /** Each datagram, its lines joined by spaces. */
  readonly told: string[] = [];
  readonly path: string;
  readonly #child: ChildProcess;

  private constructor(path: string) {
    this.path = path;
    const child = spawn('python3', ['-c', RECEIVER, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    let partial = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (partial + text).split('\n');
      partial = lines.pop() ?? '';
      this.told.push(...lines);
    });
  }

  static async open(path: string): Promise<NotifySocket> {
    const receiver = new NotifySocket(path);
    while (receiver.told.shift() !== 'bound') {
      await once(receiver.#child.stdout ?? receiver.#child, 'data');
    }
    return receiver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.stdin?.end();
    await once(this.#child, 'exit');
  }
}
