'use strict';
(() => {
  const $ = id => document.getElementById(id);
  const el = (tag, attributes = {}, ...children) => {
    const e = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) if (value != null) e.setAttribute(key, value);
    e.append(...children);
    return e;
  };
  let schedule = [];
  let latest = 0;

  async function ask(path, steps) {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ schedule: steps }) });
    const text = await response.text();
    if (!response.ok) throw new Error(text.trim());
    return text;
  }

  // The run of the address; `null`: there is none in it, or nonsense.
  function asked() {
    const text = new URLSearchParams(location.hash.slice(1)).get('run');
    return text && /^\d+\.\d+(,\d+\.\d+)*$/.test(text) ? text.split(',').map(step => step.split('.').map(Number)) : null;
  }

  async function open() {
    await show(asked() ?? []);
    const failure = $('failure').textContent;
    // An address of another scenario's run is no reason to show nothing.
    if (failure && !$('enabled').children.length) {
      await show([]);
      $('failure').textContent = 'The address has no run of this scenario: ' + failure;
    }
  }

  async function show(steps) {
    const mine = ++latest;
    try {
      const state = JSON.parse(await ask('/api/state', steps));
      if (mine !== latest) return;
      schedule = steps;
      // So the address is that of the run: it is there again after a reload, and for whoever is sent it.
      history.replaceState(null, '', steps.length ? '#run=' + steps.map(step => step.join('.')).join(',') : location.pathname);
      $('failure').textContent = '';
      $('ahead').replaceChildren();
      draw(state);
    } catch (error) { $('failure').textContent = error.message; }
  }

  function draw(state) {
    const story = state.story;
    $('scenario').textContent = story.scenario;
    $('count').value = schedule.length + ' steps';
    $('undo').disabled = !schedule.length;
    $('save').disabled = !state.violated.length;
    $('enabled').replaceChildren(...state.enabled.map((e, i) => {
      const button = el('button', { type: 'button', class: e.violates.length ? 'violates' : null },
        (i + 1) + '  CPU' + e.actor + ' ', el('b', {}, e.function), ': ' + e.what + (e.way_out ? ' (' + e.way_out + ')' : ''));
      if (e.violates.length) button.append(el('span', { class: 'bad' }, '  violates ' + e.violates.join(', ')));
      button.onclick = () => show([...schedule, [e.actor, e.choice]]);
      return button;
    }));
    if (!state.enabled.length) {
      $('enabled').append(el('p', {}, state.finished ? 'Everybody has returned.' : 'Nothing can be done; asleep: ' + state.asleep.map(i => 'CPU' + i).join(', ')));
    }
    $('violated').replaceChildren(...state.violated.map(v => el('span', { title: v.statement }, 'Step ' + v.step + ' violates ' + v.property + '.', el('br'))));
    const now = story.steps.length ? story.steps[story.steps.length - 1].after : story.initial;
    const box = (title, lines) => el('div', {}, el('dl', {}, el('dt', {}, title), ...lines.map(line => el('dd', {}, line))));
    $('state').replaceChildren(
      box('module list', now.modules.map(m => m.listed ? m.name + ' ' + m.state : '(' + m.name + ' not listed)')),
      box('sysfs', now.modules.flatMap(m => [m.directory ? '/sys/module/' + m.name + '/' : '(no directory of ' + m.name + ')', m.initstate ? 'initstate: ' + m.state.toLowerCase() : '(no initstate)'])),
      box('file systems', now.modules.filter(m => m.registered != null).map(m => m.registered ? m.name + ' registered' : '(none)')));
    const grid = el('div', { class: 'lanes' });
    grid.style.gridTemplateColumns = 'repeat(' + story.actors.length + ', minmax(0, 1fr)) minmax(0, .7fr)';
    for (const actor of story.actors) grid.append(el('div', { class: 'head' }, actor.cpu, el('small', {}, actor.what)));
    grid.append(el('div', { class: 'head' }, 'changes'));
    story.steps.forEach((step, i) => {
      const row = String(i + 2);
      const taken = el('div', { class: 'step' + (i + 1 === story.steps.length ? ' current' : ''), 'data-step': i + 1, 'data-actor': step.actor },
        el('span', { class: 'cpu' }, 'CPU' + step.actor), el('span', { class: 'fn' }, step.function), el('span', { class: 'what' }, step.what));
      taken.style.gridColumn = step.actor + 1;
      const changes = el('div', { class: 'changes' }, step.changes.join(', '));
      changes.style.gridColumn = story.actors.length + 1;
      taken.style.gridRow = changes.style.gridRow = row;
      grid.append(taken, changes);
    });
    $('lanes').replaceChildren(grid);
  }

  async function wrong() {
    $('ahead').textContent = 'searching...';
    try {
      const ahead = JSON.parse(await ask('/api/ahead', schedule));
      const lines = ahead.violated.map(v => {
        const go = el('button', { type: 'button', 'data-property': v.property }, 'go there');
        go.onclick = () => show([...schedule, ...v.schedule]);
        return el('li', {}, 'Yes: ' + v.property + ' can be violated in ' + v.schedule.length + ' more steps ', go);
      });
      const rest = ahead.complete
        ? (lines.length ? 'Nothing else: ' : 'No: nothing is violated in any of ') + ahead.states + ' states from here.'
        : 'Not known beyond that: out of budget after ' + ahead.states + ' states.';
      $('ahead').replaceChildren(el('ul', {}, ...lines, el('li', {}, rest)));
    } catch (error) { $('ahead').replaceChildren(); $('failure').textContent = error.message; }
  }

  async function save() {
    try {
      const text = await ask('/api/trace', schedule);
      const link = el('a', { download: 'trace.json', href: URL.createObjectURL(new Blob([text], { type: 'application/json' })) });
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) { $('failure').textContent = error.message; }
  }

  $('undo').onclick = () => schedule.length && show(schedule.slice(0, -1));
  $('again').onclick = () => show([]);
  $('wrong').onclick = wrong;
  $('save').onclick = save;
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const button = /^[1-9]$/.test(event.key) ? $('enabled').querySelectorAll('button')[+event.key - 1] : { u: $('undo'), w: $('wrong'), s: $('save') }[event.key];
    if (button && !button.disabled) button.click();
  });
  addEventListener('hashchange', open);
  open();
})();
