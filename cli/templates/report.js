'use strict';
(() => {
  const { $, el, state, lanes, said, say } = parts;
  const data = JSON.parse($('data').textContent);
  const buttons = [...document.querySelectorAll('button[data-cell]')];
  const at = { cell: null, trace: data.race, step: 0, beside: false };
  let playing = null;

  // The matrix: which property, how many callers.
  function paint() {
    const property = +$('property').value;
    const which = +$('callers').value;
    $('statement').textContent = data.properties[property].statement;
    for (const button of buttons) {
      const run = data.cells[button.dataset.cell].runs[which];
      const answer = run.answers[property];
      button.className = 'cell ' + answer.class;
      button.querySelector('b').textContent = answer.verdict;
      const detail = answer.steps != null ? answer.steps + ' steps' : run.states + ' states';
      button.querySelector('span').textContent = detail;
      const cell = data.cells[button.dataset.cell];
      button.setAttribute('aria-label', [cell.request, cell.environment, cell.kmod, cell.check, cell.map].join(' ')
        + ': ' + answer.verdict + ', ' + run.callers + ' callers, ' + detail);
    }
  }

  function assumptions(cell) {
    const items = [
      'kernel v4.9 with check ' + cell.check + ', alias map ' + cell.map + ', shortcut ' + (cell.live ? 'on' : 'off'),
      'kmod ' + cell.kmod,
      { ok: 'every init succeeds', fail: 'every init may fail, at every attempt, as often as it likes',
        'builtin-dir': 'built in, with a directory under /sys/module', 'builtin-nodir': 'built in, without a directory' }[cell.environment] || 'environment ' + cell.environment,
      'nothing is unloaded, nobody is killed, the limit of running requests is not met',
      'sequentially consistent; exact states, no time or memory limit',
    ];
    for (const run of cell.runs) {
      items.push(run.callers + ' callers: ' + run.states + ' states, ' + run.transitions + ' transitions, depth ' + run.depth
        + (run.symmetry ? ', up to exchanging callers' : ', every state'));
    }
    return el('ul', {}, ...items.map(text => el('li', {}, text)));
  }

  // Some cells have all their states in this page; of every other a page of its own can be made.
  function stepped(cell) {
    const name = [cell.request, cell.environment, cell.kmod, cell.check, cell.map].join(' ');
    const system = [...($('x-system')?.options ?? [])].find(option => option.textContent === name);
    if (!system) return el('p', {}, 'A page to step through it: ', el('code', {}, "kmodcheck report '" + name + "' --out cell.html"));
    const go = el('button', { type: 'button', class: 'link' }, 'Step through it');
    go.onclick = () => {
      $('x-system').value = system.value;
      $('x-system').dispatchEvent(new Event('change'));
      $('step').scrollIntoView();
      $('step').focus({ preventScroll: true });
    };
    return el('p', {}, go);
  }

  function showCell(index, letter) {
    at.cell = index;
    const cell = data.cells[index];
    for (const button of buttons) button.setAttribute('aria-pressed', String(+button.dataset.cell === index));
    const rows = data.properties.map((property, p) => {
      const answers = cell.runs.map(run => run.answers[p]);
      if (answers.every(answer => answer.class === 'na')) return null;
      const verdicts = cell.runs.map(run => {
        const answer = run.answers[p];
        return el('td', { class: answer.class }, answer.verdict + (answer.steps != null ? ' (' + answer.steps + ')' : ''));
      });
      const premise = cell.runs[0].answers[p].premise
        .map((met, branch) => property.branches[branch] + ': ' + met).join('; ');
      const more = [];
      if (cell.traces[p] != null) more.push(el('button', { type: 'button', class: 'link', 'data-trace': p }, 'trace'));
      if (cell.mutants[p]) more.push(cell.mutants[p] === 'none' ? 'no fault violates it' : 'violated under ' + cell.mutants[p]);
      const row = el('tr', {}, el('th', { scope: 'row', title: property.statement }, property.name), ...verdicts, el('td', { title: 'premise met, distinct transitions of 2 callers: ' + premise }, ...more));
      return row;
    }).filter(Boolean);
    const heads = cell.runs.map(run => el('th', { scope: 'col' }, String(run.callers)));
    $('cell').replaceChildren(
      el('h3', {}, [cell.request, cell.environment, 'kmod ' + cell.kmod, cell.check, cell.map].join(' · ')),
      el('table', {}, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'property'), ...heads, el('th', { scope: 'col' }, ''))), el('tbody', {}, ...rows)),
      el('h4', {}, 'Assumed'), assumptions(cell),
      stepped(cell));
    const chosen = letter != null ? data.properties.findIndex(p => p.letter === letter) : +$('property').value;
    let p = cell.traces[chosen] != null ? chosen : cell.traces.findIndex(t => t != null);
    if (p >= 0) showTrace(cell.traces[p], 0);
  }

  // The trace.
  const trace = () => data.traces[at.trace];
  const word = number => data.words[number];

  function statePanel(run, step) {
    const number = n => n === 0 ? run.initial : run.steps[Math.min(n, run.steps.length) - 1][4];
    return state(data.states[number(step)], data.states[number(Math.max(step - 1, 0))]);
  }

  function fillRun(id, title, run, actors, other) {
    $(id).replaceChildren(el('div', { class: 'top' }, el('h3', {}, title), el('div', { class: 'state' })),
      lanes(actors.map((what, i) => [i, what]), run.steps.map(([actor, fn, what, changes], i) => [actor, word(fn), word(what), word(changes), other != null && i >= other])));
  }

  function showTrace(index, step) {
    stop();
    at.trace = index;
    const t = trace();
    const property = data.properties[t.property];
    $('player').hidden = false;
    $('trace-what').textContent = t.scenario + ': ' + t.run.steps.length + ' steps, ' + t.switches + ' context switch' + (t.switches === 1 ? '' : 'es')
      + (t.proved ? ' (none is shorter, none as short has fewer switches)' : '') + '.';
    const has = t.beside != null;
    $('beside').disabled = !has;
    $('diverge').disabled = !has;
    $('beside-name').textContent = has ? 'the same schedule with kmod ' + t.beside.kmod : 'the other kmod does the same';
    if (!has) at.beside = false;
    const kmod = has ? (t.beside.kmod === 'v20' ? 'v19' : 'v20') : null;
    fillRun('run-a', kmod ? 'kmod ' + kmod : 'This run', t.run, t.actors, has ? t.beside.diverges : null);
    if (has) fillRun('run-b', 'The same schedule, kmod ' + t.beside.kmod, t.beside.run, t.actors, t.beside.diverges);
    $('trace-violates').replaceChildren('Its last step violates ', el('b', {}, property.name), ': ' + property.statement);
    $('verdict').textContent = '';
    $('verdict').dataset.text = 'Violates ' + property.name + ': ' + property.statement;
    $('why').replaceChildren(...(t.why.length ? [el('h3', {}, 'What would have avoided it'), el('ul', {}, ...t.why.map(n => el('li', {}, word(n))))] : []));
    go(step);
  }

  function go(step) {
    const t = trace();
    const most = Math.max(t.run.steps.length, at.beside && t.beside ? t.beside.run.steps.length : 0);
    at.step = Math.min(Math.max(step, 0), most);
    $('now').value = 'step ' + at.step + ' of ' + most;
    $('runs').classList.toggle('beside', at.beside);
    $('run-b').hidden = !at.beside;
    $('beside').checked = at.beside;
    for (const [id, run] of [['run-a', t.run], ['run-b', t.beside && t.beside.run]]) {
      if (!run) continue;
      const shown = Math.min(at.step, run.steps.length);
      $(id).querySelector('.state').replaceChildren(...statePanel(run, at.step));
      for (const box of $(id).querySelectorAll('[data-step]')) {
        const n = +box.dataset.step;
        box.classList.toggle('later', n > at.step);
        if (box.classList.contains('step')) box.classList.toggle('current', n === shown && at.step > 0);
      }
    }
    $('verdict').textContent = at.step >= t.run.steps.length ? $('verdict').dataset.text : '';
    const last = t.run.steps[at.step - 1];
    $('said').textContent = last ? 'CPU' + last[0] + ' ' + word(last[1]) + ': ' + word(last[2]) : '';
    const current = $('run-a').querySelector('.current');
    if (current && moved) current.scrollIntoView({ block: 'nearest' });
    say({ trace: at.trace, step: at.step, cell: at.cell, beside: at.beside ? '' : null });
  }
  let moved = false;
  const move = step => { moved = true; go(step); };

  function stop() {
    clearInterval(playing);
    playing = null;
    $('play').setAttribute('aria-pressed', 'false');
    $('play').textContent = 'Play';
  }
  function play() {
    if (playing) return stop();
    const t = trace();
    if (at.step >= t.run.steps.length) go(0);
    $('play').setAttribute('aria-pressed', 'true');
    $('play').textContent = 'Pause';
    playing = setInterval(() => {
      const before = at.step;
      move(at.step + 1);
      if (at.step === before) stop();
    }, 700);
  }
  function diverge() {
    const t = trace();
    if (!t.beside) return;
    at.beside = true;
    move(t.beside.diverges + 1);
  }
  function toggleBeside() {
    if (!trace().beside) return;
    at.beside = !at.beside;
    go(at.step);
  }

  $('property').onchange = paint;
  $('callers').onchange = paint;
  $('first').onclick = () => move(0);
  $('back').onclick = () => move(at.step - 1);
  $('next').onclick = () => move(at.step + 1);
  $('last').onclick = () => move(trace().run.steps.length);
  $('play').onclick = play;
  $('diverge').onclick = diverge;
  $('beside').onchange = toggleBeside;
  document.addEventListener('click', event => {
    const button = event.target.closest('button');
    if (button && button.dataset.cell) {
      showCell(+button.dataset.cell);
      if (matchMedia('(max-width: 860px)').matches) $('cell').scrollIntoView();
    } else if (button && button.dataset.open) {
      showCell(+button.dataset.open, button.dataset.letter);
      $('trace').scrollIntoView();
      $('trace').focus({ preventScroll: true });
    } else if (button && button.dataset.trace) {
      showTrace(data.cells[at.cell].traces[+button.dataset.trace], 0);
      $('trace').scrollIntoView();
      $('trace').focus({ preventScroll: true });
    } else {
      const box = event.target.closest('.step');
      if (box) move(+box.dataset.step);
    }
  });
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.closest('select, textarea')) return;
    const inMatrix = target.dataset && target.dataset.cell != null;
    if (inMatrix && event.key.startsWith('Arrow')) {
      const cell = target.parentElement, row = cell.parentElement;
      const to = { ArrowLeft: cell.previousElementSibling, ArrowRight: cell.nextElementSibling,
        ArrowUp: row.previousElementSibling && row.previousElementSibling.cells[cell.cellIndex],
        ArrowDown: row.nextElementSibling && row.nextElementSibling.cells[cell.cellIndex] }[event.key];
      const button = to && to.querySelector('button');
      if (button) button.focus();
      event.preventDefault();
      return;
    }
    const keys = { ArrowRight: () => move(at.step + 1), ArrowLeft: () => move(at.step - 1), Home: () => move(0),
      End: () => move(trace().run.steps.length), d: diverge, c: toggleBeside };
    if (event.key === ' ' && !target.closest('button, input, summary, a')) {
      play();
      event.preventDefault();
    } else if (keys[event.key] && !(inMatrix && (event.key === 'Home' || event.key === 'End'))) {
      stop();
      keys[event.key]();
      event.preventDefault();
    }
  });
  addEventListener('beforeprint', () => { stop(); go(trace().run.steps.length); $('as-text').open = true; });

  paint();
  const asked = said();
  const number = (key, most) => { const n = Number(asked.get(key)); return asked.has(key) && Number.isInteger(n) && n >= 0 && n < most ? n : null; };
  const cell = number('cell', data.cells.length);
  const chosen = number('trace', data.traces.length);
  const step = number('step', 1e6);
  const beside = asked.has('beside');
  if (cell != null) showCell(cell);
  else {
    const home = data.cells.findIndex(c => c.traces.includes(data.race));
    showCell(home);
  }
  at.beside = beside && data.traces[chosen ?? data.race]?.beside != null;
  const first = chosen ?? (cell != null ? at.trace : data.race);
  if (first != null) showTrace(first, step ?? 0); // Nothing at all may be violated.
})();
