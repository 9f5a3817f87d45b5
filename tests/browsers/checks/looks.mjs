// For everybody: axe-core finds nothing, in light and dark, wide and narrow; the policy allows no inline code; nothing is complained of.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function findings(page) {
  await page.driver.run(`async () => { ${AXE}\n; globalThis.axe = axe; }`);
  return page.driver.run(`async () => (await axe.run(document)).violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.target).join(' '))`);
}

export const checks = [
  ['axe-core finds nothing', async ({ page }) => {
    await page.open();
    await page.full();
    assert.deepEqual(await findings(page), []);
    if (page.driver.dark) {
      await page.driver.dark(true);
      assert.deepEqual(await findings(page), [], 'in the dark');
      await page.driver.screenshot(page.shot('dark'));
      await page.driver.dark(false);
    }
    await page.driver.resize(400);
    assert.deepEqual(await findings(page), [], 'narrow');
    const wider = await page.driver.run('async () => document.documentElement.scrollWidth - document.documentElement.clientWidth');
    assert.ok(wider <= 0, `the page is ${wider} pixels wider than a narrow window`);
    await page.driver.screenshot(page.shot('narrow'));
    await page.driver.resize(1000);
  }],

  ['the policy of the page allows no inline code', async ({ page }) => {
    const ran = await page.driver.run(`async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.intruder = 1';
      document.body.append(script);
      const broken = await new Promise((done) => { addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective), { once: true });
        const image = new Image(); image.src = 'https://example.com/x.png'; setTimeout(() => done('none'), 3000); });
      return { ran: globalThis.intruder === 1, broken };
    }`);
    assert.equal(ran.ran, false);
    assert.notEqual(ran.broken, 'none');
  }],

  ['texts are shown as texts', async ({ page }) => {
    await page.write('<img src=x onerror=globalThis.intruder=1>\n<b>bold</b>');
    await page.driver.run("async () => document.getElementById('form').requestSubmit()");
    await page.until(`async () => document.querySelectorAll('#vectors .words').length === 2 && document.querySelector('#vectors .words').textContent.startsWith('<img')`, 'the texts');
    assert.equal(await page.driver.run("async () => document.querySelectorAll('#vectors img, #vectors b').length"), 0);
  }],
];
