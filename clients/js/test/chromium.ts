import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a page says in the end. */
export type Report = { result: unknown } | { error: string };

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * A server of a page that runs one expression with the scenario's functions and the client, as built, and
 * tells what came of it. `others` answers the remaining requests.
 */
export async function pageServer(
  expression: string,
  others: (request: IncomingMessage, reply: ServerResponse) => void,
): Promise<{ server: Server; url: string; report: Promise<Report> }> {
  let tell: (report: Report) => void = () => {};
  const report = new Promise<Report>((resolve) => (tell = resolve));
  const html = `<!doctype html>
    <script type="importmap">{ "imports": { "@crm-core/client": "/dist/index.js" } }</script>
    <script type="module">
      const told = await import('/build/scenario.js')
        .then(async ({ follow, meet }) => ({ result: await (${expression}) }))
        .catch((error) => ({ error: String(error.stack ?? error) }));
      await fetch('/report', { method: 'POST', body: JSON.stringify(told) });
    </script>`;
  const server = createServer((request, reply) => {
    const place = request.url ?? '';
    if (place === '/') {
      reply.setHeader('Content-Type', 'text/html').end(html);
    } else if (/^\/(dist|build)\/[\w-]+\.js$/.test(place)) {
      void readFile(path.join(root, place)).then(
        (script) => reply.setHeader('Content-Type', 'text/javascript').end(script),
        () => reply.writeHead(404).end(),
      );
    } else if (place === '/report') {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        reply.end();
        tell(JSON.parse(body) as Report);
      });
    } else {
      others(request, reply);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { server, url: `http://127.0.0.1:${port}`, report };
}

/** Opens the page in Chromium until it has reported; gives the result. */
export async function inChromium(page: { url: string; report: Promise<Report> }): Promise<unknown> {
  const program = process.env['CRM_TEST_CHROMIUM'] ?? 'chromium';
  const profile = await mkdtemp(path.join(tmpdir(), 'crm-client-chromium-'));
  const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  // A group of its own, for its many processes to be ended together.
  const browser = spawn(program, [...options, `--user-data-dir=${profile}`, page.url], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  browser.stderr.on('data', (chunk) => (said = (said + String(chunk)).slice(-2000)));
  const ended = new Promise<never>((_, reject) => {
    browser.on('error', (cause) => reject(new Error(`\`${program}\` cannot be started`, { cause })));
    browser.on('exit', (code) => reject(new Error(`Chromium ended with ${code} before the page was done: ${said}`)));
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the page did not report in time; Chromium said: ${said}`)), 50_000);
  });
  try {
    const report = await Promise.race([page.report, ended, late]);
    if ('error' in report) throw new Error(`in the page: ${report.error}`);
    return report.result;
  } finally {
    clearTimeout(timer);
    if (browser.pid !== undefined && browser.exitCode === null) {
      const exit = once(browser, 'exit');
      process.kill(-browser.pid, 'SIGKILL');
      await exit;
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
