'use strict';
(() => {
  const { $, el, state, lanes, said, say } = parts;
  let schedule = [];
  // Steps that Next takes: what was undone, or a shortest way.
  let planned = [];
  let latest = 0;

  async function ask(path, steps) {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ schedule: steps }) });
    const text = await response.text();
    if (!response.ok) throw new Error(text.trim());
    return text;
  }

  // The run of the address; `null`: there is none in it, or nonsense.
  function asked() {
    const text = said().get('run');
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

  async function show(steps, then = []) {
    const mine = ++latest;
    try {
      const found = JSON.parse(await ask('/api/state', steps));
      if (mine !== latest) return;
      schedule = steps;
      planned = then;
      // So the address is that of the run: it is there again after a reload, and for whoever is sent it.
      say({ run: steps.length ? steps.map(step => step.join('.')).join(',') : null });
      $('failure').textContent = '';
      $('ahead').replaceChildren();
      draw(found);
    } catch (error) { $('failure').textContent = error.message; }
  }

  function draw(found) {
    const story = found.story;
    // Who chooses by keyboard goes on from the same place: the buttons are others now.
    const had = $('enabled').contains(document.activeElement);
    $('scenario').textContent = story.scenario;
    $('count').value = schedule.length + ' steps';
    $('undo').disabled = !schedule.length;
    $('next').disabled = !planned.length;
    $('next').textContent = planned.length ? 'Next (' + planned.length + ' to go)' : 'Next';
    $('save').disabled = !found.violated.length;
    $('enabled').replaceChildren(...found.enabled.map((e, i) => {
      const button = el('button', { type: 'button', class: e.violates.length ? 'violates' : null },
        (i + 1) + '  CPU' + e.actor + ' ', el('b', {}, e.function), ': ' + e.what + (e.way_out ? ' (' + e.way_out + ')' : ''));
      if (e.violates.length) button.append(el('span', { class: 'bad' }, '  violates ' + e.violates.join(', ')));
      const isNext = planned.length && planned[0][0] === e.actor && planned[0][1] === e.choice;
      if (isNext) button.setAttribute('aria-current', 'step');
      button.onclick = () => show([...schedule, [e.actor, e.choice]], isNext ? planned.slice(1) : []);
      return button;
    }));
    if (!found.enabled.length) {
      $('enabled').append(el('p', {}, found.finished ? 'Everybody has returned.' : 'Nothing can be done; asleep: ' + found.asleep.map(i => 'CPU' + i).join(', ')));
    }
    $('violated').replaceChildren(...found.violated.map(v => el('span', { title: v.statement }, 'Step ' + v.step + ' violates ' + v.property + '.', el('br'))));
    const now = story.steps.length ? story.steps[story.steps.length - 1].after : story.initial;
    const was = story.steps.length > 1 ? story.steps[story.steps.length - 2].after : story.initial;
    $('state').replaceChildren(...state(now, was));
    const heads = story.actors.map((actor, i) => [i, actor.what]);
    const grid = lanes(heads, story.steps.map(step => [step.actor, step.function, step.what + (step.way_out ? ' (' + step.way_out + ')' : ''), step.changes.join(', ')]));
    grid.querySelector('.step[data-step="' + story.steps.length + '"]')?.classList.add('current');
    const last = story.steps[story.steps.length - 1];
    $('said').textContent = 'Step ' + schedule.length + (last ? ': CPU' + last.actor + ' ' + last.function + ': ' + last.what : '') + '.';
    $('lanes').replaceChildren(grid);
    if (had) ($('enabled').querySelector('button') ?? $('undo')).focus({ preventScroll: true });
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

  // The nearest violation, of whatever property: its steps are then what Next takes.
  async function shortest() {
    $('ahead').textContent = 'searching...';
    const mine = latest;
    try {
      const ahead = JSON.parse(await ask('/api/ahead', schedule));
      if (mine !== latest) return;
      const ways = ahead.violated.slice().sort((a, b) => a.schedule.length - b.schedule.length);
      if (!ways.length) {
        $('ahead').textContent = ahead.complete ? 'No way: nothing can be violated from here.' : 'None was found: out of budget after ' + ahead.states + ' states.';
        return;
      }
      const least = ways[0];
      await show(schedule, least.schedule);
      $('ahead').textContent = least.schedule.length ? 'Next takes a shortest way to a violation of ' + least.property + ', step by step: ' + least.schedule.length + ' to go.' : least.property + ' is violated here.';
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

  $('undo').onclick = () => schedule.length && show(schedule.slice(0, -1), [schedule[schedule.length - 1], ...planned]);
  $('next').onclick = () => planned.length && show([...schedule, planned[0]], planned.slice(1));
  $('shortest').onclick = shortest;
  $('again').onclick = () => show([]);
  $('wrong').onclick = wrong;
  $('save').onclick = save;
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const button = /^[1-9]$/.test(event.key) ? $('enabled').querySelectorAll('button')[+event.key - 1] : { u: $('undo'), ArrowLeft: $('undo'), ArrowRight: $('next'), w: $('wrong'), f: $('shortest'), s: $('save') }[event.key];
    if (button && !button.disabled) button.click();
  });
  addEventListener('hashchange', open);
  open();
})();
