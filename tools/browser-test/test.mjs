// node test.mjs REPORT URL IMAGES PROFILE
//
// REPORT: the HTML file; URL: where `kmodcheck serve race` listens; IMAGES: where screenshots go;
// PROFILE: a directory for the browser's own files. Beside REPORT are pages of one system: race.html, hang.html, patch.html
// and large.html. KMODCHECK: the command, which has to read what the pages save.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';

const [report, url, images, profile] = process.argv.slice(2);
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM, headless: true, args: flags, viewport: { width: 1280, height: 900 },
});
// What is not there in that time does not come: nothing here asks the network, and the pages are small.
context.setDefaultTimeout(10_000);

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

const beside = (name, hash) => 'file://' + join(dirname(report), name + '.html') + (hash ?? '');
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

// What the player says of what is ahead: by property, in how many steps; `null`: no more.
const aheadOnPage = page => page.locator('#x-ahead tbody tr').evaluateAll(rows => Object.fromEntries(rows.map(row => {
  const says = row.cells[1].textContent, steps = says.match(/in (\d+) more/);
  return [row.cells[0].textContent, steps ? +steps[1] : says === 'it is so here' ? 0 : null];
})));
const now = async page => (await text(page, '#x-now')).match(/step (\d+) of (\d+)/).slice(1).map(Number);
const runOf = page => new URLSearchParams(new URL(page.url()).hash.slice(1)).get('run');

await test('the cells around the race can be stepped through', {}, async page => {
  await page.goto(at());
  const cell = name => page.locator('button[data-cell][aria-label^="' + name + '"]');
  await cell('fs-ext4 ok v20 none none').click();
  await page.locator('#cell').getByRole('button', { name: 'Step through it' }).click();
  assert.equal(await page.locator('#x-system').inputValue(), '1');
  assert.deepEqual(Object.keys(await aheadOnPage(page)), []);
  assert.match(await text(page, '#x-statement'), /Nothing that was asked can be violated/);
  await cell('fs-ext4 fail v20 none none').click();
  await page.locator('#cell').getByRole('button', { name: 'Step through it' }).click();
  assert.equal((await aheadOnPage(page))['no-false-success'], 26);
  await cell('fs-ext4 ok v19 verify none').click();
  assert.match(await text(page, '#cell'), /kmodcheck report 'fs-ext4 ok v19 verify none' --out cell\.html/);
});

// What `serve` finds, by a search from that state; the run is the same in its address.
async function searched(run) {
  const schedule = run ? run.split(',').map(step => step.split('.').map(Number)) : [];
  const body = JSON.stringify({ schedule });
  const answer = await fetch(new URL('/api/ahead', url), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  assert.equal(answer.status, 200);
  const { complete, violated } = await answer.json();
  assert.ok(complete);
  return Object.fromEntries(violated.map(v => [v.property, v.schedule.length]));
}

await test('choosing any step: what is ahead is what a search from there finds', {}, async page => {
  let seed = 7;
  const draw = most => (seed = (seed * 1103515245 + 12345) % 2147483648) % most;
  let compared = 0, no = 0;
  for (let walk = 0; walk < 4; walk++) {
    await page.goto('about:blank');
    await page.goto(beside('race'));
    await page.selectOption('#x-runs', '');
    for (let step = 1; ; step++) {
      const choices = await page.locator('#x-choices button').count();
      if (!choices) break;
      await page.locator('#x-choices button').nth(draw(choices)).click();
      assert.deepEqual(await now(page), [step, step]);
      if (step % 3) continue;
      const taken = runOf(page).split(',');
      assert.equal(taken.length, step);
      const found = await searched(runOf(page));
      const page_says = await aheadOnPage(page);
      for (const [property, steps] of Object.entries(page_says)) {
        assert.equal(steps, found[property] ?? null, property + ' after ' + taken);
        compared += 1;
        no += steps == null;
      }
      for (const property of Object.keys(found)) assert.ok(property in page_says, property);
    }
    assert.match(await text(page, '#x-choices'), /Everybody has returned/);
  }
  assert.ok(compared > 100 && no > 20, compared + ' compared, ' + no + ' times no more');
});

await test('each choice says what it violates and what it rules out', {}, async page => {
  await page.goto(beside('hang'));
  await page.selectOption('#x-question', { label: 'nobody-sleeps-for-ever' });
  assert.match(await text(page, '#x-choices'), /nobody-sleeps-for-ever in \d+ steps? from there/);
  await page.keyboard.press('End');
  assert.match(await text(page, '#x-violated'), /violates nobody-sleeps-for-ever: Whoever sleeps/);
  assert.match(await text(page, '#x-ahead'), /it is so here/);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await text(page, '#x-violated'), '');
  assert.match(await text(page, '#x-choices'), /violates nobody-sleeps-for-ever/);
});

await test('undo, redo, and the shortest way, step by step', {}, async page => {
  await page.goto(beside('race'));
  await page.selectOption('#x-question', { label: 'get-fs-type-finds-it' });
  await page.selectOption('#x-runs', '');
  for (let i = 0; i < 11; i++) await page.keyboard.press('1');
  assert.match(await text(page, '#x-state'), /\/sys\/module\/ext4\/\s+\(no initstate\)/);
  assert.match(await text(page, '#x-step'), /Step 11: CPU0 mod_sysfs_init.*In mod_sysfs_init\(\), kernel\/module\.c of kernel v4\.9\./s);
  assert.match(await text(page, '#x-choices'), /module_add_modinfo_attrs.*\s.*after it no more: .*get-fs-type-finds-it/);
  await page.keyboard.press('f');
  assert.deepEqual(await now(page), [11, 21]);
  assert.match(await text(page, '#x-told'), /next 10 steps are a shortest way/);
  for (let i = 1; i <= 10; i++) {
    assert.doesNotMatch(await text(page, '#x-violated'), /get-fs-type-finds-it/);
    await page.keyboard.press('ArrowRight');
    assert.deepEqual(await now(page), [11 + i, 21]);
  }
  assert.match(await text(page, '#x-violated'), /Step 21 violates get-fs-type-finds-it/);
  assert.match(await text(page, '#x-said'), /is violated/);
  await page.keyboard.press('u');
  await page.keyboard.press('Home');
  assert.deepEqual(await now(page), [0, 21]);
  // Another choice in its midst, and what was to come is no more.
  await page.keyboard.press('2');
  assert.deepEqual(await now(page), [1, 1]);
});

await test('from counterexample to counterexample', {}, async page => {
  await page.goto(beside('race'));
  await page.selectOption('#x-question', { label: 'get-fs-type-finds-it' });
  const runs = new Set();
  let least = 0;
  await page.keyboard.press('n');
  const all = Number((await text(page, '#x-told')).match(/Counterexample 1 of (\d+), in 21 steps/)[1]);
  for (let i = 0; i < all; i++) {
    const [, steps] = await now(page);
    assert.ok(steps >= least, 'the nearest come first');
    least = steps;
    await page.keyboard.press('End');
    assert.match(await text(page, '#x-violated'), /get-fs-type-finds-it/);
    runs.add(runOf(page));
    await page.keyboard.press('n');
  }
  assert.ok(all > 1 && runs.size === all, runs.size + ' of ' + all);
  assert.match(await text(page, '#x-told'), /Counterexample 1 of/);
});

await test('a link to a run, a reload, and the same link for serve', {}, async page => {
  await page.goto(beside('race'));
  assert.equal(new URL(page.url()).hash, '');
  await page.selectOption('#x-runs', '');
  for (const key of ['1', '2', '1', '2', '2', '1']) await page.keyboard.press(key);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await page.selectOption('#x-question', { label: 'get-fs-type-finds-it' });
  // (What is only said to a screen reader is said anew.)
  const shown = async () => [await page.locator('#x-question').inputValue(), ...await Promise.all(
    ['#x-state', '#x-step', '#x-choices', '#x-ahead', '#x-lanes'].map(part => text(page, part)))];
  const before = await shown();
  const address = page.url();
  await page.reload();
  assert.deepEqual(await now(page), [4, 6]);
  assert.deepEqual(await shown(), before);
  await page.goto('about:blank');
  await page.goto(address);
  assert.deepEqual(await shown(), before);
  assert.equal(page.url(), address);
  const run = runOf(page);
  await page.goto(url + '#run=' + run);
  await page.waitForFunction(() => document.getElementById('count').value === '6 steps');
  // Nonsense, or another system's run, is no reason to show nothing.
  for (const hash of ['#run=9.9', '#run=x&at=-1&system=7&property=none', '#at=5']) {
    await page.goto('about:blank');
    await page.goto(beside('race', hash));
    assert.ok(await page.locator('#x-choices button').count() > 0, hash);
  }
});

await test('what is saved is read by kmodcheck', {}, async page => {
  await page.goto(beside('race'));
  await page.keyboard.press('End');
  for (const [button, words] of [['#x-save', ['replay']], ['#x-scenario', ['check']]]) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator(button).click()]);
    const read = spawnSync(process.env.KMODCHECK, [...words, await download.path()], { encoding: 'utf8' });
    assert.ok(words[0] === 'replay' ? read.status === 0 : read.status === 1, read.stdout + read.stderr);
    assert.match(read.stdout, words[0] === 'replay' ? /replayed: 20 steps/ : /get-fs-type-finds-it\s+violated \(21 steps\)/);
  }
});

await test('a patch: before and after, each with its states', {}, async page => {
  await page.goto(beside('patch'));
  assert.match(await text(page, '#compared'), /no-false-failure.*broken/s);
  assert.match(await text(page, 'header'), /Of kernel v5\.11, kmod v30, with docs\/patches\/0254127ab977\.diff/);
  await page.selectOption('#x-question', { label: 'no-false-failure' });
  const with_patch = await aheadOnPage(page);
  assert.ok(with_patch['no-false-failure'] > 0);
  await page.selectOption('#x-system', '1');
  assert.ok(!('no-false-failure' in await aheadOnPage(page)));
  await page.keyboard.press('1');
  await page.reload();
  assert.equal(await page.locator('#x-system').inputValue(), '1');
  assert.equal((await now(page))[0], 1);
});

await test('too large for its states: said, and all else is there', {}, async page => {
  await page.goto(beside('large'));
  assert.match(await text(page, '#step'), /more than 60000 transitions/);
  assert.match(await text(page, '#short'), /Violated/);
  assert.equal(await page.locator('#states-player').count(), 0);
});

await test('by keyboard alone: from the top to a choice, and the focus stays there', {}, async page => {
  await page.goto(beside('race'));
  const focused = () => page.evaluate(() => document.activeElement.closest('#x-choices') != null);
  for (let i = 0; i < 150 && !await focused(); i++) await page.keyboard.press('Tab');
  for (let step = 1; step < 4; step++) {
    assert.ok(await focused(), 'after ' + (step - 1) + ' steps');
    await page.keyboard.press('Enter');
    assert.equal((await now(page))[0], step);
  }
  // What has the focus is seen to have it.
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none');
  // On the report with its own player, keys are the race's only inside it.
  await page.goto(at());
  await page.locator('#x-way').focus();
  await page.keyboard.press('1');
  assert.deepEqual(await now(page), [1, 1]);
  assert.match(await text(page, '#now'), /^step 0 /);
});

await test('a screen reader has a name for everything that can be used', {}, async page => {
  const session = await context.newCDPSession(page);
  const useful = ['button', 'link', 'combobox', 'checkbox', 'region', 'toolbar', 'navigation', 'group'];
  for (const [where, least] of [[at(), 400], [beside('race'), 30], [beside('patch'), 20], [url, 6]]) {
    await page.goto(where);
    await page.waitForSelector('#x-choices button, #enabled button');
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const used = nodes.filter(node => !node.ignored && useful.includes(node.role?.value));
    const nameless = used.filter(node => !node.name?.value?.trim()).map(node => node.role.value);
    // (What is drawn, and details, are groups of their own.)
    assert.deepEqual(nameless.filter(role => role !== 'group'), [], where);
    assert.ok(used.length >= least, where + ': ' + used.length);
    const headings = await page.locator('h1').count();
    assert.equal(headings, 1, where);
  }
  await page.goto(beside('race'));
  await page.keyboard.press('ArrowRight');
  assert.match(await page.locator('#x-said').textContent(), /^Step 1 of 20: CPU\d caller: get_fs_type\("ext4"\)\. .* can still be violated, in 19 steps\.$/);
});

for (const dark of [false, true]) {
  await test('contrast of a page of one system, ' + (dark ? 'dark' : 'light'), { dark }, async page => {
    for (const name of ['race', 'hang', 'patch', 'large']) {
      await page.goto(beside(name));
      if (name !== 'large') for (const key of ['ArrowRight', 'End', 'ArrowLeft']) await page.keyboard.press(key);
      const { looked, found } = await faint(page);
      assert.ok(looked > 100, name + ': ' + looked + ' texts');
      assert.deepEqual(found, [], name);
    }
  });
}

await test('a page of one system on a telephone', { width: 390, height: 844 }, async page => {
  for (const name of ['race', 'hang', 'patch', 'large']) {
    await page.goto(beside(name));
    if (name !== 'large') await page.keyboard.press('End');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, name + ': by ' + overflow);
  }
  await page.goto(beside('race'));
  for (let i = 0; i < 11; i++) await page.keyboard.press('ArrowRight');
  await page.evaluate(() => document.getElementById('step').scrollIntoView());
  await shot(page, 'one-system-phone.png');
});

await test('a page of one system on paper: nothing is cut off', { print: true, width: 700 }, async page => {
  for (const name of ['race', 'hang', 'patch', 'large']) {
    await page.goto(beside(name));
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    const cut = await page.evaluate(() => [...document.querySelectorAll('main *')].filter(e => {
      if (e.closest('svg') && e.tagName !== 'svg' || !e.checkVisibility() || e.classList.contains('visually-hidden')) return false;
      const style = getComputedStyle(e);
      const hides = style.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1 || style.overflowY !== 'visible' && e.scrollHeight > e.clientHeight + 1;
      return hides || e.getBoundingClientRect().right > innerWidth + 1;
    }).map(e => e.tagName + '#' + e.id + '.' + e.className).slice(0, 5));
    assert.deepEqual(cut, [], name);
    if (name !== 'large') assert.ok(!await page.locator('#x-play').isVisible());
    assert.equal(await page.locator('details:not([open])').count(), 0);
  }
  await page.goto(beside('race'));
  const pdf = await page.pdf({ format: 'A4' });
  assert.ok(pdf.length > 20_000);
});

await test('without a script', {}, async () => {
  const plain = await context.browser()?.newContext({ javaScriptEnabled: false }) ?? null;
  const html = readFileSync(join(dirname(report), 'race.html'), 'utf8');
  assert.match(html, /Choosing steps needs a script/);
  if (!plain) return;
  const page = await plain.newPage();
  await page.goto(beside('race'));
  assert.ok(await page.getByText('Choosing steps needs a script').isVisible());
  assert.ok(!await page.locator('#states-player').isVisible());
  assert.ok(await page.locator('.run-svg svg').first().isVisible());
  await plain.close();
});

for (const dark of [false, true]) {
  await test('screenshots of a page of one system, ' + (dark ? 'dark' : 'light'), { dark, height: 1000 }, async page => {
    await page.goto(beside('race'));
    await page.selectOption('#x-runs', { label: 'get-fs-type-finds-it (21 steps)' });
    assert.match(await text(page, '#x-statement'), /^get-fs-type-finds-it: /);
    for (let i = 0; i < 11; i++) await page.keyboard.press('ArrowRight');
    await page.evaluate(() => document.getElementById('step').scrollIntoView());
    await shot(page, 'one-system-' + (dark ? 'dark' : 'light') + '.png');
  });
}

await test('serve: the shortest way, step by step', {}, async page => {
  await page.goto(url);
  await page.waitForSelector('#enabled button');
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.getElementById('next').textContent === 'Next (18 to go)');
  assert.match(await text(page, '#ahead'), /shortest way to a violation of modprobe-tells-the-truth, step by step: 18 to go/);
  for (let i = 1; i <= 18; i++) {
    assert.equal(await text(page, '#violated'), '');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(n => document.getElementById('count').value === n + ' steps', i);
  }
  assert.match(await text(page, '#violated'), /Step 18 violates modprobe-tells-the-truth/);
  assert.ok(await page.locator('#next').isDisabled());
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(() => document.getElementById('next').textContent === 'Next (1 to go)');
});

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
