'use strict';
// A run chosen step by step in the state graph that is in the page.
(() => {
  const { $, el, box, state, lanes, said, say } = parts;
  const source = $('states');
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const never = -1;

  // A graph as arrays, and of each question in how many steps at least it is shown, from each state.
  function unpack(system) {
    const n = system.states.length / 2, m = system.edges.length / 2;
    const place = new Int32Array(n), first = new Int32Array(n + 1);
    for (let s = 0; s < n; s++) {
      place[s] = system.states[2 * s];
      first[s + 1] = first[s] + system.states[2 * s + 1];
    }
    const label = new Int32Array(m), from = new Int32Array(m), to = new Int32Array(m);
    for (let s = 0; s < n; s++) {
      for (let e = first[s]; e < first[s + 1]; e++) {
        label[e] = system.edges[2 * e];
        from[e] = s;
        to[e] = s + system.edges[2 * e + 1];
      }
    }
    const backFirst = new Int32Array(n + 1);
    for (let e = 0; e < m; e++) backFirst[to[e] + 1] += 1;
    for (let s = 0; s < n; s++) backFirst[s + 1] += backFirst[s];
    const back = new Int32Array(m), filled = backFirst.slice();
    for (let e = 0; e < m; e++) back[filled[to[e]]++] = e;
    const shows = new Map(system.shows), wrong = new Map(system.wrong);
    const changes = new Map(system.changes.map(([was, is, words]) => [was + '>' + is, words]));
    const graph = { ...system, n, m, place, first, label, from, to, shows, wrong, changes };
    graph.ahead = system.asked.map((_, q) => {
      const steps = new Int32Array(n).fill(never);
      let level = [];
      for (const [s, all] of wrong) if (all.includes(q)) { steps[s] = 0; level.push(s); }
      for (let d = 1; ; d++) {
        const next = [];
        const reach = s => { if (steps[s] === never) { steps[s] = d; next.push(s); } };
        for (const s of level) for (let i = backFirst[s]; i < backFirst[s + 1]; i++) reach(from[back[i]]);
        if (d === 1) for (const [e, all] of shows) if (all.includes(q)) reach(from[e]);
        if (!next.length) break;
        level = next;
      }
      return steps;
    });
    return graph;
  }

  const systems = data.systems.map(unpack);
  let graph, run, at, question, example, opening = false, playing = null;
  const actorOf = e => graph.labels[graph.label[e]][0];
  const choiceOf = e => graph.labels[graph.label[e]][1];
  const words = e => { const [fn, what, way] = graph.texts[graph.labels[graph.label[e]][2]]; return [graph.functions[fn][0], what + (way ? ' (' + way + ')' : '')]; };
  const sentence = e => 'CPU' + actorOf(e) + ' ' + words(e).join(': ');
  const plural = (n, one) => n + ' ' + one + (n === 1 ? '' : 's');
  const stateAfter = steps => steps ? graph.to[run[steps - 1]] : 0;
  const now = () => stateAfter(at);
  const view = s => graph.views[graph.places[graph.place[s]][0]];
  const violations = () => graph.asked.map((asked, q) => q).filter(q => !graph.asked[q].exists);
  // What the step, or the state that it leads to, shows.
  const shownBy = e => [...(graph.shows.get(e) ?? []), ...(graph.wrong.get(graph.to[e]) ?? [])];
  const shownIn = (edges, q) => edges.findIndex(e => shownBy(e).includes(q)) + 1;

  // Shortest ways from a state to every other, and of these the ones with the fewest changes of who steps.
  function ways(start, last) {
    const { n, first, to } = graph, actors = graph.actors.length + 1;
    const steps = new Int32Array(n).fill(never), cost = new Int32Array(n * actors).fill(1e9), by = new Int32Array(n * actors).fill(never);
    const order = [start];
    steps[start] = 0;
    cost[start * actors + last + 1] = 0;
    for (let i = 0; i < order.length; i++) {
      const s = order[i];
      for (let e = first[s]; e < first[s + 1]; e++) {
        const t = to[e], actor = actorOf(e);
        if (steps[t] === never) { steps[t] = steps[s] + 1; order.push(t); }
        if (steps[t] !== steps[s] + 1) continue;
        for (let a = 0; a < actors; a++) {
          const c = cost[s * actors + a] + (a && a !== actor + 1 ? 1 : 0);
          if (c < cost[t * actors + actor + 1]) { cost[t * actors + actor + 1] = c; by[t * actors + actor + 1] = e * actors + a; }
        }
      }
    }
    const least = (s, then) => {
      let best = null;
      for (let a = 0; a < actors; a++) {
        const c = cost[s * actors + a] + (then != null && a && a !== then + 1 ? 1 : 0);
        if (cost[s * actors + a] < 1e9 && (!best || c < best.c)) best = { a, c };
      }
      return best;
    };
    const way = (s, then) => {
      const edges = [];
      let { a } = least(s, then);
      while (s !== start || by[s * actors + a] !== never) {
        const packed = by[s * actors + a];
        const e = Math.floor(packed / actors);
        edges.push(e);
        s = graph.from[e];
        a = packed % actors;
      }
      return edges.reverse();
    };
    return { steps, least, way };
  }

  // Everything that shows a question, with a shortest way from a state; the nearest first.
  function examples(q, start, last) {
    const from = ways(start, last), found = [];
    for (const [e, all] of graph.shows) {
      const s = graph.from[e];
      if (all.includes(q) && from.steps[s] !== never) found.push({ s, e, steps: from.steps[s] + 1, cost: from.least(s, actorOf(e)).c });
    }
    for (const [s, all] of graph.wrong) {
      if (all.includes(q) && from.steps[s] !== never) found.push({ s, e: null, steps: from.steps[s], cost: from.least(s).c });
    }
    found.sort((a, b) => a.steps - b.steps || a.cost - b.cost || a.s - b.s || a.e - b.e);
    const way = one => one.e == null ? from.way(one.s) : [...from.way(one.s, actorOf(one.e)), one.e];
    return { found, way };
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    $('x-play').setAttribute('aria-pressed', 'false');
    $('x-play').textContent = 'Play';
  }

  function go(to, quiet) {
    at = Math.min(Math.max(to, 0), run.length);
    draw(quiet);
  }

  // Who chooses by keyboard goes on from the same place: what had the focus has been drawn anew.
  const refocused = (inside, to) => {
    const had = $(inside).contains(document.activeElement);
    return () => had && (to() ?? $('x-undo')).focus({ preventScroll: true });
  };

  function take(e) {
    stop();
    const focus = refocused('x-choices', () => $('x-choices').querySelector('button'));
    if (run[at] !== e) run = [...run.slice(0, at), e];
    go(at + 1);
    focus();
  }

  function takeRun(edges, to) {
    stop();
    run = edges;
    go(to);
  }

  // From here the shortest way: what is ahead of the place where the run is.
  function shortest(q) {
    stop();
    choose(q);
    statement();
    const focus = refocused('x-ahead', () => $('x-next'));
    const { found, way } = examples(q, now(), at ? actorOf(run[at - 1]) : never);
    if (!found.length) return;
    run = [...run.slice(0, at), ...way(found[0])];
    draw(true);
    focus();
    tell(found[0].steps ? 'The next ' + plural(found[0].steps, 'step') + ' ' + (found[0].steps === 1 ? 'is' : 'are') + ' a shortest way to it: ' + 'Next takes them one by one, Play all.' : 'It is so here.');
  }

  function nextExample() {
    stop();
    const { found, way } = examples(question, 0, never);
    if (!found.length) return;
    example = example == null ? 0 : (example + 1) % found.length;
    const edges = way(found[example]);
    let same = 0;
    while (same < run.length && run[same] === edges[same]) same += 1;
    run = edges;
    at = Math.min(same, edges.length);
    draw(true);
    tell('Counterexample ' + (example + 1) + ' of ' + found.length + ', in ' + plural(edges.length, 'step') + ': each ends with another step. '
      + (same && example ? 'Up to here, step ' + same + ', it is the one before.' : 'This is where it begins.'));
  }

  function tell(text) {
    $('x-told').textContent = text;
    $('x-said').textContent = text;
  }

  function choose(q) {
    if (q === question) return;
    question = q;
    example = null;
    $('x-question').value = q;
  }

  function where(actor) {
    const s = now();
    if (graph.places[graph.place[s]][1] >> actor & 1) return run.slice(0, at).some(e => actorOf(e) === actor) ? 'has returned' : 'not started';
    const next = new Set();
    for (let e = graph.first[s]; e < graph.first[s + 1]; e++) if (actorOf(e) === actor) next.add(words(e)[0]);
    return next.size ? 'next: ' + [...next].join(' or ') : 'asleep';
  }

  function draw(quiet) {
    const s = now(), taken = run.slice(0, at);
    $('x-now').value = 'step ' + at + ' of ' + run.length;
    $('x-first').disabled = $('x-undo').disabled = !at;
    $('x-next').disabled = $('x-last').disabled = $('x-play').disabled = at === run.length;
    if (!quiet) $('x-told').textContent = '';
    // The shared state, and where everybody is.
    const before = at ? view(stateAfter(at - 1)) : view(0);
    const shown = graph.actors.map((what, i) => i).filter(i => i < graph.callers || where(i) !== 'not started');
    $('x-state').replaceChildren(...state(view(s), before), box('where they are', shown.map(i => ['CPU' + i + ' ' + where(i), at > 0 && actorOf(run[at - 1]) === i])));
    // The step that was just taken.
    const last = at ? run[at - 1] : null;
    const what = $('x-step');
    if (last == null) what.replaceChildren('Nobody has taken a step. Choose one below, or Next.');
    else {
      const [, place] = graph.functions[graph.texts[graph.labels[graph.label[last]][2]][0]];
      const [file, inside, line] = place ?? [];
      const release = /^(libkmod|tools)\//.test(file) ? 'kmod ' + graph.kmod : 'kernel ' + graph.kernel;
      what.replaceChildren(el('b', {}, 'Step ' + at + ': '), sentence(last) + '. ', ...(file ? [el('small', {}, 'In ' + inside + '(), ' + file + (line ? ', line ' + line : '') + ' of ' + release + '.')] : []));
    }
    // What has gone wrong.
    const seen = violations().map(q => [q, shownIn(taken, q) || ((graph.wrong.get(0) ?? []).includes(q) ? 0 : -1)]).filter(([, step]) => step >= 0);
    const steps = new Map(taken.map((e, i) => [i + 1, shownBy(e)]));
    const found = graph.asked.map((asked, q) => q).filter(q => graph.asked[q].exists && shownIn(taken, q));
    $('x-violated').replaceChildren(
      ...violations().flatMap(q => {
        const step = [...steps].find(([, all]) => all.includes(q))?.[0] ?? ((graph.wrong.get(0) ?? []).includes(q) ? 0 : null);
        return step == null ? [] : [el('p', { class: 'bad' }, 'Step ' + step + ' violates ', el('b', {}, graph.asked[q].name), ': ' + graph.asked[q].statement)];
      }),
      ...found.map(q => el('p', { class: 'good' }, 'Step ' + shownIn(taken, q) + ' shows ', el('b', {}, graph.asked[q].name), ': ' + graph.asked[q].statement)));
    // What can still come.
    const possible = graph.asked.map((asked, q) => q).filter(q => graph.ahead[q][0] !== never);
    const rows = possible.map(q => {
      const d = graph.ahead[q][s], name = graph.asked[q].name;
      const yes = d === 0 ? 'it is so here' : 'yes, in ' + plural(d, 'more step');
      const button = el('button', { type: 'button', 'data-shortest': q, 'aria-label': 'Shortest way to ' + (graph.asked[q].exists ? '' : 'a violation of ') + name }, 'Shortest way');
      button.onclick = () => shortest(q);
      return el('tr', {}, el('th', { scope: 'row' }, name), el('td', { class: d === never ? 'good' : graph.asked[q].exists ? null : 'bad' }, d === never ? 'no more' : yes), el('td', {}, ...(d > 0 ? [button] : [])));
    });
    const nowhere = graph.asked.filter((asked, q) => graph.ahead[q][0] === never && !asked.exists).map(asked => asked.name);
    $('x-ahead').replaceChildren(
      ...(rows.length ? [el('table', {}, el('tbody', {}, ...rows))] : []),
      ...(nowhere.length ? [el('p', { class: 'keys' }, 'Never, whatever is chosen: ' + nowhere.join(', ') + '.')] : []));
    // What can be done.
    const list = [];
    for (let e = graph.first[s]; e < graph.first[s + 1]; e++) {
      const [fn, does] = words(e), shows = graph.shows.get(e) ?? [], t = graph.to[e];
      const button = el('button', { type: 'button', class: shows.some(q => !graph.asked[q].exists) ? 'violates' : null, 'data-edge': e, 'aria-current': run[at] === e ? 'step' : null },
        el('span', { class: 'number', 'aria-hidden': 'true' }, String(list.length + 1)), ' CPU' + actorOf(e) + ' ', el('b', {}, fn), ': ' + does);
      const ahead = q => graph.ahead[q][t];
      const notes = [];
      for (const q of shows) notes.push(el('span', { class: graph.asked[q].exists ? 'good' : 'bad' }, (graph.asked[q].exists ? 'shows ' : 'violates ') + graph.asked[q].name));
      for (const q of graph.wrong.get(t) ?? []) if (!(graph.wrong.get(s) ?? []).includes(q)) notes.push(el('span', { class: 'bad' }, 'violates ' + graph.asked[q].name));
      const gone = possible.filter(q => graph.ahead[q][s] !== never && ahead(q) === never && !shows.includes(q));
      if (gone.length) notes.push(el('span', { class: 'good' }, 'after it no more: ' + gone.map(q => graph.asked[q].name).join(', ')));
      if (question != null && graph.ahead[question][s] > 0 && ahead(question) > 0 && !shows.includes(question)) notes.push(el('span', {}, graph.asked[question].name + ' in ' + plural(ahead(question), 'step') + ' from there'));
      if (!gone.length && !notes.length) notes.push(el('span', {}, possible.some(q => ahead(q) !== never) ? 'rules nothing out' : 'nothing can go wrong any more'));
      button.append(el('small', {}, ...notes.flatMap((note, i) => i ? ['; ', note] : [' ', note])));
      button.onclick = () => take(e);
      list.push(el('li', {}, button));
    }
    const asleep = graph.actors.map((what, i) => i).filter(i => where(i) === 'asleep');
    $('x-choices').replaceChildren(...(list.length ? list : [el('li', {}, asleep.length ? 'Nothing can be done; asleep: ' + asleep.map(i => 'CPU' + i).join(', ') + '.' : 'Everybody has returned.')]));
    // The run, what is still to come of it faint.
    const who = graph.actors.map((what, i) => [i, what]).filter(([i]) => i < graph.callers || run.some(e => actorOf(e) === i));
    const grid = lanes(who, run.map((e, i) => {
      const was = stateAfter(i), key = graph.places[graph.place[was]][0] + '>' + graph.places[graph.place[graph.to[e]]][0];
      return [actorOf(e), ...words(e), graph.changes.get(key) ?? ''];
    }));
    for (const part of grid.querySelectorAll('[data-step]')) {
      const n = +part.dataset.step;
      part.classList.toggle('later', n > at);
      if (part.classList.contains('step')) {
        part.classList.toggle('current', n === at);
        if (shownBy(run[n - 1]).some(q => !graph.asked[q].exists)) part.classList.add('differs');
      }
    }
    $('x-lanes').replaceChildren(grid);
    const current = grid.querySelector('.current');
    if (current && !quiet) $('x-lanes').scrollTop = Math.max(0, current.offsetTop - $('x-lanes').clientHeight / 2);
    if (!quiet) {
      const can = question == null || graph.asked[question].exists ? '' : seen.some(([q]) => q === question) ? ' ' + graph.asked[question].name + ' is violated.'
        : ' ' + graph.asked[question].name + (graph.ahead[question][s] === never ? ' cannot be violated any more.' : ' can still be violated, in ' + plural(graph.ahead[question][s], 'step') + '.');
      $('x-said').textContent = 'Step ' + at + ' of ' + run.length + (last == null ? '.' : ': ' + sentence(last) + '.') + can;
    }
    $('x-save').disabled = !taken.some(e => shownBy(e).some(q => !graph.asked[q].exists && savable(q)));
    if (!opening) say({ run: run.length ? run.map(e => actorOf(e) + '.' + choiceOf(e)).join(',') : null, at: run.length ? at : null,
      property: question == null ? null : graph.asked[question].name, system: systems.length > 1 ? systems.indexOf(graph) : null });
  }

  // A trace is saved of a property; what a scenario asks itself has no such file.
  const savable = q => !graph.asked[q].own;

  function edgesOf(steps) {
    const edges = [];
    let s = 0;
    for (const [actor, choice] of steps) {
      let found = null;
      for (let e = graph.first[s]; e < graph.first[s + 1]; e++) if (actorOf(e) === actor && choiceOf(e) === choice) found = e;
      if (found == null) return null;
      edges.push(found);
      s = graph.to[found];
    }
    return edges;
  }

  function showSystem(index) {
    graph = systems[index];
    run = [];
    at = 0;
    example = null;
    const order = graph.asked.map((asked, q) => q).filter(q => graph.ahead[q][0] !== never);
    const first = order.find(q => !graph.asked[q].exists) ?? order[0];
    question = first ?? null;
    $('x-question').replaceChildren(...order.map(q => el('option', { value: q }, graph.asked[q].name)));
    $('x-questions').hidden = !order.length;
    $('x-example').hidden = $('x-way').hidden = !order.length;
    if (question != null) $('x-question').value = question;
    $('x-runs').replaceChildren(el('option', { value: '' }, 'none'), ...graph.runs.map((r, i) => el('option', { value: i }, r.what + ' (' + plural(r.steps.length, 'step') + ')')));
    $('x-of-run').hidden = !graph.runs.length;
    if (systems.length > 1) $('x-system').value = index;
    statement();
  }

  function statement() {
    if (question == null) {
      $('x-statement').textContent = 'Nothing that was asked can be violated, whatever is chosen.';
      return;
    }
    const asked = graph.asked[question];
    $('x-statement').replaceChildren(el('b', {}, asked.name), ': ' + asked.statement);
  }

  // The run of the address; without one, that of the first counterexample, at its beginning.
  function open() {
    const all = said();
    const index = Number(all.get('system') ?? 0);
    showSystem(Number.isInteger(index) && index >= 0 && index < systems.length ? index : 0);
    const named = graph.asked.findIndex(asked => asked.name === all.get('property'));
    if (named >= 0 && graph.ahead[named][0] !== never) choose(named);
    statement();
    const text = all.get('run') ?? '';
    const steps = /^\d+\.\d+(,\d+\.\d+)*$/.test(text) ? text.split(',').map(step => step.split('.').map(Number)) : null;
    const edges = steps && edgesOf(steps);
    const place = Number(all.get('at') ?? steps?.length);
    if (edges) {
      run = edges;
      at = Number.isInteger(place) && place >= 0 ? Math.min(place, edges.length) : edges.length;
    } else if (graph.runs.length) {
      run = edgesOf(graph.runs[0].steps) ?? [];
      if (run.length) $('x-runs').value = 0;
      if (named < 0) ask(graph.runs[0]);
    }
    // (The address says what was chosen, not what nobody has touched.)
    opening = true;
    draw(true);
    opening = false;
    if (text && !edges) tell('The address has no run of this system.');
  }

  // What a run shows is what is asked, then.
  function ask(chosen) {
    const q = graph.asked.findIndex(asked => asked.name === chosen.shows);
    if (q >= 0 && graph.ahead[q][0] !== never) choose(q);
    statement();
  }

  function saveAs(name, text) {
    const link = el('a', { download: name, href: URL.createObjectURL(new Blob([text], { type: 'application/json' })) });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function saveTrace() {
    const taken = run.slice(0, at);
    const last = taken.findLastIndex(e => shownBy(e).some(q => !graph.asked[q].exists && savable(q)));
    if (last < 0) return;
    const all = shownBy(taken[last]).filter(q => !graph.asked[q].exists && savable(q));
    const asked = graph.asked[all.includes(question) ? question : all[0]];
    const steps = taken.slice(0, last + 1).map(e => ({ actor: actorOf(e), choice: choiceOf(e), function: words(e)[0], what: graph.texts[graph.labels[graph.label[e]][2]][1] }));
    saveAs('trace.json', JSON.stringify({ format: graph.format, version: graph.format_version, property: asked.name, statement: asked.statement, scenario: graph.scenario, steps }, null, 2) + '\n');
  }

  function play() {
    if (playing) return stop();
    if (at === run.length) return;
    $('x-play').setAttribute('aria-pressed', 'true');
    $('x-play').textContent = 'Pause';
    playing = setInterval(() => {
      go(at + 1);
      if (at === run.length) stop();
    }, 700);
  }

  const moving = f => () => { stop(); f(); };
  $('x-first').onclick = moving(() => go(0));
  $('x-undo').onclick = moving(() => go(at - 1));
  $('x-next').onclick = moving(() => go(at + 1));
  $('x-last').onclick = moving(() => go(run.length));
  $('x-play').onclick = play;
  $('x-way').onclick = () => question != null && shortest(question);
  $('x-example').onclick = nextExample;
  $('x-save').onclick = saveTrace;
  $('x-scenario').onclick = () => saveAs('scenario.json', JSON.stringify(graph.scenario, null, 2) + '\n');
  $('x-question').onchange = event => { choose(+event.target.value); statement(); draw(); };
  $('x-runs').onchange = event => {
    const chosen = graph.runs[event.target.value];
    if (chosen) ask(chosen);
    takeRun(chosen ? edgesOf(chosen.steps) ?? [] : [], 0);
  };
  if ($('x-system')) $('x-system').onchange = event => { stop(); say({ run: null, at: null, property: null, system: event.target.value }); open(); };
  $('x-lanes').addEventListener('click', event => {
    const step = event.target.closest('.step');
    if (step) moving(() => go(+step.dataset.step))();
  });
  // Keys are the player's where it is alone, or has the focus.
  const alone = !$('player');
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('select, textarea, input')) return;
    if (!alone && !event.target.closest('#states-player')) return;
    const pressed = button => () => !button.disabled && button.click();
    const keys = { ArrowRight: pressed($('x-next')), ArrowLeft: pressed($('x-undo')), u: pressed($('x-undo')), Home: pressed($('x-first')), End: pressed($('x-last')),
      f: pressed($('x-way')), n: pressed($('x-example')), s: pressed($('x-save')) };
    if (event.key === ' ' && !event.target.closest('button, summary, a')) keys[' '] = play;
    const digit = /^[1-9]$/.test(event.key) && $('x-choices').querySelectorAll('button')[+event.key - 1];
    const does = digit ? () => digit.click() : keys[event.key];
    if (!does) return;
    does();
    event.stopImmediatePropagation();
    event.preventDefault();
  }, true);
  addEventListener('hashchange', () => { if (said().has('run')) open(); });
  addEventListener('beforeprint', stop);
  $('no-script').hidden = true;
  $('states-player').hidden = false;
  open();
})();
