// The three engines, each behind the same few calls: open, run, screenshot, close. One that cannot be driven says why.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

const VIEW = { width: 1000, height: 1200 };
const START_MS = 60_000;
const first = (paths) => paths.find((path) => path && existsSync(path));

// A browser that is not there, or cannot be driven here.
export class Unable extends Error {}

class Puppeteer {
  constructor(name, browser, page) {
    Object.assign(this, { name, browser, page, said: [] });
  }

  static async start(name, options) {
    const browser = await puppeteer.launch({ headless: true, timeout: START_MS, protocolTimeout: 300_000, ...options });
    const driver = new Puppeteer(name, browser, null);
    driver.version = await browser.version();
    return driver;
  }

  // Each visit is a new tab: Firefox gives a page that is isolated another one anyway, and the driver loses it.
  async open(url) {
    const before = this.page;
    this.page = await this.browser.newPage();
    await this.page.setViewport(VIEW);
    this.page.on('console', (message) => { if (['error', 'warn'].includes(message.type())) this.said.push(message.text()); });
    this.page.on('pageerror', (bad) => this.said.push(bad.message));
    await before?.close().catch(() => {});
    await this.page.goto(url, { waitUntil: 'load', timeout: 120_000 });
  }

  reload = () => this.page.reload({ waitUntil: 'load', timeout: 120_000 });
  // `source` is an async function of one argument.
  run = (source, argument) => this.page.evaluate(`(${source})(${JSON.stringify(argument ?? null)})`);
  screenshot = (path) => this.page.screenshot({ path, fullPage: true });
  resize = (width) => this.page.setViewport({ ...VIEW, width });
  process = () => this.browser.process()?.pid;
  close = () => this.browser.close();
}

async function chromium() {
  const executablePath = first([process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']);
  if (!executablePath) throw new Unable('no Chromium: apt-get install chromium, or name one in CHROMIUM');
  const root = process.getuid() === 0 ? ['--no-sandbox'] : [];
  const driver = await Puppeteer.start('chromium', { executablePath, args: [...root, '--disable-dev-shm-usage', ...(process.env.CHROMIUM_FLAGS?.split(' ') ?? [])] });
  // Only Chromium can be told how much a page may store, and to look as at night.
  driver.quota = async (origin, bytes) => {
    // By the tab: newer ones refuse it for the browser as a whole, and forget it with the tab that asked.
    const session = await driver.page.createCDPSession();
    // Without a size it is as before.
    await session.send('Storage.overrideQuotaForOrigin', { origin, ...(bytes && { quotaSize: bytes }) });
  };
  driver.dark = (on) => driver.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: on ? 'dark' : 'light' }]);
  return driver;
}

// `room`: bytes that all pages together may store; Firefox counts them in KiB.
async function firefox({ room } = {}) {
  const executablePath = first([process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox']);
  if (!executablePath) throw new Unable('no Firefox: apt-get install firefox-esr, or name one in FIREFOX');
  const extraPrefsFirefox = room ? { 'dom.quotaManager.temporaryStorage.fixedLimit': Math.floor(room / 1024) } : {};
  const driver = await Puppeteer.start('firefox', { browser: 'firefox', executablePath, extraPrefsFirefox });
  // It reads the limit when it starts.
  driver.withRoom = (bytes) => firefox({ room: bytes });
  return driver;
}

// WebKitGTK speaks WebDriver over HTTP.
class WebDriver {
  name = 'webkit';
  said = [];

  async ask(method, path, body) {
    const response = await fetch(`${this.base}${path}`, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(300_000) });
    const { value } = await response.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }

  open = (url) => this.ask('POST', `/session/${this.id}/url`, { url });
  reload = () => this.ask('POST', `/session/${this.id}/refresh`, {});
  async run(source, argument) {
    const script = `const done = arguments[arguments.length - 1];
      (${source})(${JSON.stringify(argument ?? null)}).then((value) => done({ value }), (bad) => done({ bad: String(bad) }));`;
    const { value, bad } = await this.ask('POST', `/session/${this.id}/execute/async`, { script, args: [] });
    if (bad) throw new Error(bad);
    return value;
  }

  async screenshot(path) {
    const { writeFileSync } = await import('node:fs');
    writeFileSync(path, Buffer.from(await this.ask('GET', `/session/${this.id}/screenshot`), 'base64'));
  }

  resize = (width) => this.ask('POST', `/session/${this.id}/window/rect`, { ...VIEW, width });
  process = () => this.child.pid;
  async close() {
    await this.ask('DELETE', `/session/${this.id}`).catch(() => {});
    stop(this.child);
    rmSync(this.home, { recursive: true, force: true });
  }
}

// Its process group: the driver has started the display and the browser.
function stop(child) {
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch { /* It has ended. */ }
}

const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

function miniBrowser() {
  const root = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  const folders = existsSync(root) ? readdirSync(root).filter((name) => /^webkit2?gtk-/.test(name)) : [];
  return first([process.env.WEBKIT, ...folders.map((name) => join(root, name, 'MiniBrowser'))]);
}

async function webkit() {
  const [binary, program] = [miniBrowser(), first(['/usr/bin/WebKitWebDriver'])];
  if (!program || !binary) throw new Unable('no WebKitGTK: apt-get install webkit2gtk-driver');
  const display = process.env.DISPLAY || process.env.WAYLAND_DISPLAY ? [] : ['/usr/bin/xvfb-run', '-a'];
  if (display.length && !existsSync(display[0])) throw new Unable('no display for WebKitGTK: apt-get install xvfb');
  const driver = new WebDriver();
  const port = await freePort();
  driver.home = mkdtempSync(join(tmpdir(), 'webkit-'));
  // As root there is no sandbox.
  const own = process.getuid() === 0 ? { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' } : {};
  const [command, ...words] = [...display, program, `--port=${port}`, '--host=127.0.0.1'];
  driver.child = spawn(command, words, { detached: true, stdio: 'ignore', env: { ...process.env, ...own, HOME: driver.home, XDG_CACHE_HOME: driver.home, XDG_DATA_HOME: driver.home } });
  driver.base = `http://127.0.0.1:${port}`;
  try {
    await answers(`${driver.base}/status`);
    const wanted = { 'webkitgtk:browserOptions': { binary, args: ['--automation'] } };
    const session = await driver.ask('POST', '/session', { capabilities: { alwaysMatch: wanted } });
    driver.id = session.sessionId;
    driver.version = `${session.capabilities.browserName} ${session.capabilities.browserVersion}`;
    await driver.ask('POST', `/session/${driver.id}/timeouts`, { script: 280_000, pageLoad: 120_000 });
    await driver.resize(VIEW.width);
  } catch (bad) {
    stop(driver.child);
    throw new Unable(`WebKitGTK cannot be driven: ${bad.message}`);
  }
  return driver;
}

async function answers(url) {
  const until = Date.now() + START_MS;
  for (;;) {
    try {
      return await fetch(url);
    } catch (bad) {
      if (Date.now() > until) throw bad;
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

export const ENGINES = { chromium, firefox, webkit };
