'use strict';
// What several pages draw alike.
const parts = (() => {
  const $ = id => document.getElementById(id);
  const el = (tag, attributes = {}, ...children) => {
    const e = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) e.setAttribute(key, '');
      else if (value !== false && value != null) e.setAttribute(key, value);
    }
    e.append(...children);
    return e;
  };

  function box(title, lines) {
    return el('div', {}, el('dl', {}, el('dt', {}, title), ...lines.map(([text, fresh]) => el('dd', { class: fresh ? 'new' : null }, text))));
  }

  // The shared state, with what is new since `before`.
  function state(now, before) {
    const list = [], sysfs = [], other = [];
    now.modules.forEach((m, i) => {
      const was = before.modules[i];
      list.push([m.listed ? m.name + ' ' + m.state : '(' + m.name + ' not listed)', m.state !== was.state || m.listed !== was.listed]);
      if (m.references != null) list.push([m.name + ' refcnt ' + m.references, m.references !== was.references]);
      sysfs.push([m.directory ? '/sys/module/' + m.name + '/' : '(no directory of ' + m.name + ')', m.directory !== was.directory]);
      sysfs.push([m.initstate ? 'initstate: ' + m.state.toLowerCase() : '(no initstate)', m.initstate !== was.initstate]);
      if (m.registered != null) other.push([m.registered ? m.name + ' registered' : '(' + m.name + ' not registered)', m.registered !== was.registered]);
      if (m.initialised) other.push([m.name + ' initialised', m.initialised !== was.initialised]);
      if (m.in_finit) other.push(['finit_module() of ' + m.name + ' runs', m.in_finit !== was.in_finit]);
    });
    if (!now.modules.length) list.push(['(no module: built in)', false]);
    for (const [i, d] of (now.duplicates ?? []).entries()) {
      const was = before.duplicates[i];
      other.push(['duplicates of ' + d.name + ': ' + d.entry + (d.result != null ? ' ' + d.result : ''), d.entry !== was.entry || d.result !== was.result]);
    }
    if (now.slots) other.push([now.slots.counter + ' ' + now.slots.value, now.slots.value !== before.slots.value]);
    return [box('module list', list), box('sysfs', sysfs), box('file systems and others', other.length ? other : [['(nothing asks)', false]])];
  }

  // A column for each actor. Steps: [actor, function, words, changes, from here on it differs].
  function lanes(heads, steps) {
    const grid = el('div', { class: 'lanes' });
    grid.style.gridTemplateColumns = 'repeat(' + heads.length + ', minmax(0, 1fr)) minmax(0, .7fr)';
    const column = new Map(heads.map(([actor], i) => [actor, i + 1]));
    for (const [actor, what] of heads) grid.append(el('div', { class: 'head' }, 'CPU' + actor, el('small', {}, what)));
    grid.append(el('div', { class: 'head' }, 'changes'));
    steps.forEach(([actor, fn, what, changes, differs], i) => {
      const step = el('div', { class: 'step' + (differs ? ' differs' : ''), 'data-step': i + 1, 'data-actor': actor },
        el('span', { class: 'cpu' }, 'CPU' + actor), el('span', { class: 'fn' }, fn), el('span', { class: 'what' }, what));
      step.style.gridColumn = column.get(actor);
      const beside = el('div', { class: 'changes', 'data-step': i + 1 }, changes);
      beside.style.gridColumn = heads.length + 1;
      step.style.gridRow = beside.style.gridRow = i + 2;
      grid.append(step, beside);
    });
    return grid;
  }

  // What the address says, and what of it a part of the page changes: the rest stays as it is.
  const said = () => new URLSearchParams(location.hash.slice(1));
  function say(changes) {
    const all = said();
    for (const [key, value] of Object.entries(changes)) {
      if (value == null) all.delete(key);
      else all.set(key, value);
    }
    const text = all.toString().replace(/%2C/g, ',').replace(/=(?=&|$)/g, '');
    history.replaceState(null, '', text ? '#' + text : location.pathname + location.search);
  }

  return { $, el, box, state, lanes, said, say };
})();
