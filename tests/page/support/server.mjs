/**
 * The real server in a process of its own, on ports nobody else has.
 *
 * SANDBOX_TELEMETRY_SERVE is the command that starts it; the flags are added.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const COMMAND =
  process.env.SANDBOX_TELEMETRY_SERVE ??
  `${fileURLToPath(new URL('../../../scripts/sandbox', import.meta.url))} serve telemetry`;
const FLAGS = ['--port', '--apm-port', '--dogstatsd-port', '--otlp-grpc-port', '--otlp-http-port', '--health-port'];
/** The program may have to be built, in milliseconds. */
const START = 600_000;
const STOP = 10_000;

export class Server {
  /**
   * @param {string[]} [more] flags
   * @returns {Promise<Server>}
   */
  static async start(more = []) {
    const flags = FLAGS.flatMap((flag) => [flag, '0']);
    const child = spawn('bash', ['-c', `exec ${COMMAND} "$@"`, 'serve', ...flags, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaints = '';
    child.stderr.on('data', (data) => {
      complaints = (complaints + data).slice(-4000);
    });
    const line = await new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`waited ${START / 1000} s in vain for the server's addresses`)),
        START,
      );
      createInterface({ input: child.stdout }).once('line', (text) => {
        clearTimeout(late);
        resolve(text);
      });
      child.once('exit', (code) => {
        clearTimeout(late);
        reject(new Error(`\`${COMMAND}\` exited with code ${code}: ${complaints}`));
      });
    });
    // A full pipe would stop it.
    child.stdout.resume();
    return new Server(child, JSON.parse(line).listening);
  }

  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {{query: string, otlp_http: string}} listening
   */
  constructor(child, listening) {
    this.child = child;
    this.url = `http://${listening.query}`;
    this.otlp = `http://${listening.otlp_http}`;
  }

  /** As if it had just been started. */
  async clear() {
    await this.#expect(`${this.url}/sandbox/v1/all`, { method: 'DELETE' });
  }

  /** What a client of the OpenTelemetry protocol sends. @param {'traces' | 'metrics' | 'logs'} kind @param {unknown} body */
  async send(kind, body) {
    await this.#expect(`${this.otlp}/v1/${kind}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** @param {string} path below `/sandbox/v1/` @param {unknown} body */
  async put(path, body) {
    await this.#expect(`${this.url}/sandbox/v1/${path}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** @param {string} url @param {RequestInit} request */
  async #expect(url, request) {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`${request.method} ${url}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }

  /** Ends it as Kubernetes does. */
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP);
    await gone;
    clearTimeout(late);
  }
}
