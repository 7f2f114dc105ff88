// node test.mjs REPORT URL IMAGES PROFILE
//
// REPORT: the HTML file; URL: where `kmodcheck serve race` listens; IMAGES: where screenshots go;
// PROFILE: a directory for the browser's own files.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [report, url, images, profile] = process.argv.slice(2);
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM, headless: true, args: flags, viewport: { width: 1280, height: 900 },
});

let passed = 0, failed = 0;
async function test(name, options, body) {
  const page = await context.newPage();
  const wrong = [];
  page.on('pageerror', error => wrong.push(error.message));
  const asked = text => options.refused && text.startsWith('Failed to load resource');
  page.on('console', message => message.type() === 'error' && !asked(message.text()) && wrong.push(message.text()));
  page.on('request', request => {
    const to = request.url();
    if (!/^(file|data|blob):/.test(to) && !to.startsWith(url)) wrong.push('asks the network for ' + to);
  });
  try {
    await page.emulateMedia({ colorScheme: options.dark ? 'dark' : 'light', media: options.print ? 'print' : 'screen' });
    await page.setViewportSize({ width: options.width ?? 1280, height: options.height ?? 900 });
    await body(page);
    assert.deepEqual(wrong, []);
    passed += 1;
    console.log('ok ' + name);
  } catch (error) {
    failed += 1;
    console.error('FAILED ' + name + ': ' + (error.stack ?? error));
  } finally {
    await page.close();
  }
}

const at = hash => 'file://' + report + (hash ?? '');
const text = (page, selector) => page.locator(selector).innerText();
async function shot(page, name) {
  const path = join(images, name);
  await page.screenshot({ path });
  assert.ok(statSync(path).size < 300_000, name + ' is too large');
}

await test('the file needs nothing else and is small', {}, async page => {
  const html = readFileSync(report, 'utf8');
  assert.ok(html.length < 2_000_000, 'it has ' + html.length + ' bytes');
  assert.ok(!/(src|href)="?(https?:)?\/\//.test(html), 'it names something on the network');
  await page.goto(at());
  assert.equal(await page.title(), 'kmodcheck report');
});

await test('the matrix: a cell, its verdicts, its assumptions, its trace', {}, async page => {
  await page.goto(at());
  assert.equal(await page.locator('button[data-cell]').count(), 392);
  await page.selectOption('#property', { label: 'get-fs-type-finds-it' });
  const cell = page.getByRole('button', { name: /^fs-ext4 ok v19 none none: violated/ });
  assert.match(await cell.innerText(), /violated\s+21 steps/);
  await cell.click();
  assert.match(await text(page, '#cell'), /get-fs-type-finds-it/);
  assert.match(await text(page, '#cell'), /every init succeeds/);
  assert.match(await text(page, '#cell'), /violated under skip-wake-live/);
  assert.match(await text(page, '#trace-what'), /21 steps, 1 context switch /);
  // The shown property decides the colours.
  await page.selectOption('#property', { label: 'lifecycle-and-sysfs' });
  assert.equal(await cell.count(), 0);
  assert.equal(await page.locator('button.cell.violated').count(), 0);
});

await test('steps through the race with the keyboard', {}, async page => {
  await page.goto(at());
  const states = () => page.locator('#run-a .state').innerText();
  assert.match(await text(page, '#now'), /^step 0 of 21$/);
  assert.match(await states(), /ext4 not listed/);
  for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowRight');
  assert.match(await text(page, '#run-a .current'), /add_unformed_module/);
  assert.match(await states(), /ext4 UNFORMED/);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.match(await text(page, '#run-a .current'), /mod_sysfs_init/);
  assert.match(await states(), /\/sys\/module\/ext4\/\s+\(no initstate\)/);
  assert.equal(await text(page, '#verdict'), '');
  await page.keyboard.press('End');
  assert.match(await text(page, '#run-a .current'), /__get_fs_type.*returns NULL/s);
  assert.match(await text(page, '#verdict'), /Violates get-fs-type-finds-it/);
  assert.match(await states(), /ext4 COMING/);
  await page.keyboard.press('ArrowRight');
  assert.match(await text(page, '#now'), /^step 21 of 21$/);
  await page.keyboard.press('ArrowLeft');
  assert.match(await text(page, '#now'), /^step 20 of 21$/);
  await page.keyboard.press('Home');
  assert.match(await text(page, '#now'), /^step 0 of 21$/);
  assert.match(await text(page, '#why'), /Avoided if CPU0's module_add_modinfo_attrs/);
});

await test('plays and pauses', {}, async page => {
  await page.goto(at());
  await page.locator('#play').click();
  await page.waitForFunction(() => /step [2-9]/.test(document.getElementById('now').value), null, { timeout: 20000 });
  await page.locator('#play').click();
  const before = await text(page, '#now');
  await page.waitForTimeout(1600);
  assert.equal(await text(page, '#now'), before);
});

await test('v19 and v20 side by side, from the first divergence', {}, async page => {
  await page.goto(at());
  await page.keyboard.press('d');
  assert.ok(await page.locator('#run-b').isVisible());
  const current = run => text(page, run + ' .current');
  const now = Number((await text(page, '#now')).match(/step (\d+)/)[1]);
  // The steps before are the same, this one is not.
  const step = (run, n) => page.locator(run + ' .step[data-step="' + n + '"]').innerText();
  for (let n = 1; n < now; n++) assert.equal(await step('#run-a', n), await step('#run-b', n));
  assert.notEqual(await current('#run-a'), await current('#run-b'));
  assert.match(await current('#run-a'), /exists: 'built in'/);
  assert.match(await current('#run-b'), /exists: coming/);
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('c');
  assert.ok(!await page.locator('#run-b').isVisible());
});

await test('the matrix by keyboard alone', {}, async page => {
  await page.goto(at());
  await page.locator('button[data-cell]').first().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  const focused = page.locator('button[data-cell]:focus');
  assert.match(await focused.getAttribute('aria-label'), /^ext4 fail v19 warn-only exact/);
  await page.keyboard.press('Enter');
  assert.match(await text(page, '#cell h3'), /ext4 · fail · kmod v19 · warn-only · exact/);
});

await test('what a run violates is said from its first step on', {}, async page => {
  await page.goto(at());
  assert.match(await text(page, '#now'), /^step 0 of 21$/);
  assert.match(await text(page, '#trace-violates'), /^Its last step violates get-fs-type-finds-it: .{20}/);
});

// Text of which the contrast to what is behind it is less than WCAG 2 asks for at level AA.
const faint = page => page.evaluate(() => {
  const channels = color => color.match(/[\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = color => {
    const [r, g, b] = color.map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = e => {
    const own = channels(getComputedStyle(e).backgroundColor);
    return (own[3] ?? 1) === 1 ? own.slice(0, 3) : over(own, e.parentElement ? behind(e.parentElement) : [255, 255, 255]);
  };
  const found = [];
  let looked = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const drawn = e.closest('svg, script, style, [disabled]') || !e.checkVisibility({ visibilityProperty: true });
    if (drawn || !texts.currentNode.data.trim()) continue;
    looked += 1;
    const style = getComputedStyle(e);
    let alpha = 1;
    for (let up = e; up; up = up.parentElement) alpha *= getComputedStyle(up).opacity;
    const back = behind(e), [r, g, b, a = 1] = channels(style.color);
    const [one, other] = [light(over([r, g, b, a * alpha], back)), light(back)];
    const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    if (ratio < (large ? 3 : 4.5)) found.push(ratio.toFixed(2) + ': ' + texts.currentNode.data.trim().slice(0, 40));
  }
  return { looked, found: [...new Set(found)] };
});

for (const dark of [false, true]) {
  await test('contrast, ' + (dark ? 'dark' : 'light'), { dark }, async page => {
    await page.goto(at());
    await page.keyboard.press('d');
    const report = await faint(page);
    assert.ok(report.looked > 1000, report.looked + ' texts');
    assert.deepEqual(report.found, []);
    await page.goto(url);
    await page.waitForSelector('#enabled button');
    await page.keyboard.press('1');
    await page.waitForFunction(() => document.getElementById('count').value === '1 steps');
    assert.deepEqual((await faint(page)).found, []);
  });
}

await test('a link to a step', {}, async page => {
  await page.goto(at());
  for (let i = 0; i < 11; i++) await page.keyboard.press('ArrowRight');
  const address = page.url();
  await page.goto('about:blank');
  await page.goto(address);
  assert.match(await text(page, '#now'), /^step 11 of 21$/);
  // Nonsense is no reason to show nothing.
  await page.goto('about:blank');
  await page.goto(at('#trace=99999&step=x&cell=-1'));
  assert.match(await text(page, '#now'), /^step 0 of 21$/);
});

await test('state graph and growth', {}, async page => {
  await page.goto(at());
  assert.ok(await page.locator('svg.graph circle.wrong').count() > 15);
  assert.ok(await page.locator('svg.graph circle.safe').count() > 3);
  assert.equal(await page.locator('svg.plot polyline').count(), 4);
  assert.match(await text(page, '#growth'), /Any number of callers/);
});

await test('a telephone: nothing is wider than the screen', { width: 390, height: 844 }, async page => {
  await page.goto(at());
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(await overflow() <= 0, 'by ' + await overflow());
  await page.keyboard.press('d');
  assert.ok(await overflow() <= 0, 'by ' + await overflow());
  await page.evaluate(() => document.getElementById('trace').scrollIntoView());
  await shot(page, 'report-phone.png');
});

await test('print shows the whole trace', { print: true }, async page => {
  await page.goto(at());
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  assert.equal(await page.locator('#run-a .step').first().evaluate(e => getComputedStyle(e).opacity), '1');
  assert.ok(!await page.locator('#play').isVisible());
  assert.match(await text(page, '#as-text'), /add_unformed_module/);
});

for (const dark of [false, true]) {
  await test('screenshots, ' + (dark ? 'dark' : 'light'), { dark }, async page => {
    await page.goto(at());
    const name = dark ? 'dark' : 'light';
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(background, dark ? 'rgb(20, 23, 26)' : 'rgb(255, 255, 255)');
    await shot(page, 'matrix-' + name + '.png');
    await page.keyboard.press('d');
    await page.evaluate(() => document.getElementById('trace').scrollIntoView());
    await page.locator('#run-a .current').evaluate(e => e.scrollIntoView({ block: 'center' }));
    await page.waitForTimeout(300);
    await shot(page, 'side-by-side-' + name + '.png');
  });
}

await test('by hand in the browser', {}, async page => {
  await page.goto(url);
  await page.waitForSelector('#enabled button');
  assert.equal(await page.locator('#enabled button').count(), 2);
  for (let i = 0; i < 11; i++) {
    await page.keyboard.press('1');
    await page.waitForFunction(n => document.getElementById('count').value === n + ' steps', i + 1);
  }
  assert.match(await text(page, '#state'), /ext4 COMING/);
  await page.keyboard.press('w');
  await page.waitForSelector('#ahead button[data-property="get-fs-type-finds-it"]');
  assert.match(await text(page, '#ahead'), /get-fs-type-finds-it can be violated in 10 more steps/);
  await page.locator('#ahead button[data-property="get-fs-type-finds-it"]').click();
  await page.waitForFunction(() => document.getElementById('count').value === '21 steps');
  assert.match(await text(page, '#violated'), /Step 21 violates get-fs-type-finds-it/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('s')]);
  const saved = JSON.parse(readFileSync(await download.path(), 'utf8'));
  assert.equal(saved.format, 'kmodcheck-trace');
  assert.equal(saved.steps.length, 21);
  await shot(page, 'by-hand.png');
  await page.keyboard.press('u');
  await page.waitForFunction(() => document.getElementById('count').value === '20 steps');
  // The address is that of the run.
  const address = page.url();
  await page.reload();
  await page.waitForFunction(() => document.getElementById('count').value === '20 steps');
  await page.goto('about:blank');
  await page.goto(address);
  await page.waitForFunction(() => document.getElementById('count').value === '20 steps');
  // One step beyond initstate the race is over.
  await page.locator('#again').click();
  await page.waitForFunction(() => document.getElementById('count').value === '0 steps');
});

await test('an address that has no run of the scenario', { refused: true }, async page => {
  await page.goto(url + '#run=7.9');
  await page.waitForFunction(() => /has no run of this scenario/.test(document.getElementById('failure').textContent));
  assert.match(await text(page, '#count'), /^0 steps$/);
  await page.keyboard.press('1');
  await page.waitForFunction(() => document.getElementById('count').value === '1 steps');
  assert.equal(await text(page, '#failure'), '');
  await page.evaluate(() => { location.hash = '#run=7.9'; });
  await page.waitForFunction(() => document.getElementById('failure').textContent !== '');
  assert.match(await text(page, '#count'), /^1 steps$/);
  assert.equal(await page.locator('#enabled button').count() > 0, true);
});

await context.close();
console.log(passed + ' passed, ' + failed + ' failed');
process.exit(failed ? 1 : 0);
