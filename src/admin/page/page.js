'use strict';
(() => {
  const REFRESH_MS = 5000;
  const STATES = {u: 'up', i: 'idle', c: 'connecting', s: 'suspect', d: 'down'};
  const find = (id) => document.getElementById(id);

  // An element with properties and children, for HTML or SVG.
  const make = (name, attributes = {}, ...children) => {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      e.setAttribute(key, value);
    }
    e.append(...children);
    return e;
  };
  const draw = (name, attributes = {}, ...children) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) {
      e.setAttribute(key, value);
    }
    e.append(...children);
    return e;
  };

  // ---- words

  const number = (x) => {
    if (x === null || x === undefined) {
      return '–';
    }
    const digits = x >= 100 || Number.isInteger(x) ? 0 : x >= 10 ? 1 : 2;
    return x.toLocaleString('en', {maximumFractionDigits: digits});
  };
  const milliseconds = (x) => (x === null || x === undefined ? '–'
    : x >= 1000 ? `${number(x / 1000)} s` : `${number(x)} ms`);
  const percent = (x) => (x === null || x === undefined ? '–' : `${number(x)} %`);
  const octets = (x) => {
    const units = ['B', 'KiB', 'MiB', 'GiB'];
    let i = 0;
    for (; x >= 1024 && i < units.length - 1; i++) {
      x /= 1024;
    }
    return `${number(x)} ${units[i]}`;
  };
  const span = (s) => {
    const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    const i = parts.findIndex(([size]) => s >= size);
    if (i < 0) {
      return '0 s';
    }
    const words = [`${Math.floor(s / parts[i][0])} ${parts[i][1]}`];
    if (i < parts.length - 2) {
      const rest = Math.floor((s % parts[i][0]) / parts[i + 1][0]);
      words.push(...(rest ? [`${rest} ${parts[i + 1][1]}`] : []));
    }
    return words.join(' ');
  };
  const clock = (at) => new Date(at * 1000).toLocaleTimeString([], {
    hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false});

  // The latest that there is.
  const last = (values) => {
    const there = values.filter((v) => v !== null);
    return there.length ? there[there.length - 1] : null;
  };

  // ---- charts

  const LEFT = 54, RIGHT = 8, TOP = 8, BOTTOM = 20, HEIGHT = 160;

  // The least round number that is not below x.
  const roundUp = (x) => {
    const unit = 10 ** Math.floor(Math.log10(x));
    return [1, 2, 2.5, 5, 10].map((m) => m * unit).find((m) => m >= x);
  };

  // What part of the hour to show: all that there is, a minute at least.
  const shownSpan = (history, wholeS) => {
    const at = history.at;
    const there = at.length ? at[at.length - 1] - at[0] + 10 : 0;
    return [60, 300, 900, 1800, wholeS].find((s) => there <= s) || wholeS;
  };

  // Runs of samples that have a value.
  const runs = (values) => {
    const all = [];
    let run = [];
    values.forEach((value, i) => {
      if (value === null) {
        if (run.length) {
          all.push(run);
        }
        run = [];
      } else {
        run.push(i);
      }
    });
    return run.length ? [...all, run] : all;
  };

  class Chart {
    constructor(id, series, words, options = {}) {
      this.figure = find(id);
      this.caption = this.figure.querySelector('figcaption');
      this.title = this.caption.textContent;
      this.series = series;
      this.words = words;
      this.options = options;
      this.svg = draw('svg', {role: 'img'});
      this.figure.append(this.svg);
      this.svg.addEventListener('pointermove', (e) => this.point(e));
      this.svg.addEventListener('pointerleave', () => this.describe(-1));
      new ResizeObserver(() => this.paint()).observe(this.svg);
    }

    show(history, wholeS) {
      this.history = history;
      this.spanS = shownSpan(history, wholeS);
      this.paint();
    }

    x(at) {
      const width = this.width - LEFT - RIGHT;
      return LEFT + width * (1 - (this.end - at) / this.spanS);
    }

    y(value) {
      const share = this.options.isLog
        ? Math.log(Math.max(value, this.low) / this.low)
          / Math.log(this.top / this.low)
        : value / this.top;
      return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
    }

    // Where the values lie, in round numbers.
    scale() {
      const values = this.series.flatMap((s) => this.history[s.key])
        .filter((v) => v !== null);
      if (this.options.isLog) {
        const decade = (x, round) => 10 ** round(Math.log10(x));
        this.low = decade(Math.max(0.1, Math.min(10, ...values)), Math.floor);
        this.top = Math.max(decade(Math.max(1, ...values), Math.ceil),
          this.low * 10);
      } else {
        this.low = 0;
        this.top = this.options.top || roundUp(Math.max(1, ...values));
      }
    }

    // Where lines go across.
    steps() {
      if (!this.options.isLog) {
        return [0, this.top / 2, this.top];
      }
      const all = [];
      for (let x = this.low; x <= this.top * 1.01; x *= 10) {
        all.push(x);
      }
      return all;
    }

    paint() {
      const history = this.history;
      this.width = this.svg.clientWidth;
      if (!history || !this.width) {
        return;
      }
      const at = history.at;
      this.end = at.length ? at[at.length - 1] : 0;
      this.scale();
      this.svg.setAttribute('viewBox', `0 0 ${this.width} ${HEIGHT}`);
      this.svg.replaceChildren(...this.grid(), ...this.curves());
      this.cursor = draw('line', {class: 'cursor', y1: TOP,
        y2: HEIGHT - BOTTOM, visibility: 'hidden'});
      this.svg.append(this.cursor);
      this.describe(-1);
    }

    grid() {
      const parts = [];
      for (const step of this.steps()) {
        const y = this.y(step);
        parts.push(draw('line', {class: 'grid', x1: LEFT,
          x2: this.width - RIGHT, y1: y, y2: y}));
        parts.push(draw('text', {x: LEFT - 6, y: y + 4, 'text-anchor': 'end'},
          this.words(step)));
      }
      const ends = [[LEFT, 'start', `${span(this.spanS)} ago`],
        [this.width - RIGHT, 'end', 'now']];
      for (const [x, anchor, words] of ends) {
        parts.push(draw('text', {x, y: HEIGHT - 5, 'text-anchor': anchor}, words));
      }
      return parts;
    }

    curves() {
      const at = this.history.at;
      const parts = [];
      for (const {key, tone, area} of this.series) {
        const values = this.history[key];
        for (const run of runs(values)) {
          const points = run.map((i) => `${this.x(at[i]).toFixed(1)},${
            this.y(values[i]).toFixed(1)}`);
          const x = run.map((i) => this.x(at[i]).toFixed(1));
          if (run.length === 1) {
            const [cx, cy] = points[0].split(',');
            parts.push(draw('circle', {class: `dot tone-${tone}`, cx, cy, r: 3}));
            continue;
          }
          if (area) {
            const floor = this.y(this.low);
            parts.unshift(draw('path', {class: 'area',
              d: `M${x[0]},${floor}L${points.join('L')}L${x[x.length - 1]},${floor}Z`}));
          }
          parts.push(draw('path', {class: `curve tone-${tone}`,
            d: `M${points.join('L')}`}));
        }
      }
      return parts;
    }

    point(event) {
      const at = this.history.at;
      const box = this.svg.getBoundingClientRect();
      const x = event.clientX - box.left;
      let best = -1;
      at.forEach((a, i) => {
        if (best < 0 || Math.abs(this.x(a) - x) < Math.abs(this.x(at[best]) - x)) {
          best = i;
        }
      });
      this.describe(best);
    }

    // What the sample has, -1 the latest, in the caption and for those who
    // cannot see the lines.
    describe(i) {
      const at = this.history.at;
      const keys = this.series.map(({key, tone, name}) => {
        const values = this.history[key];
        const value = this.words(i < 0 ? last(values) : values[i]);
        return make('span', {class: `key tone-${tone}`},
          name ? `${name} ${value}` : value);
      });
      const when = i < 0 ? [] : [make('span', {}, clock(at[i]))];
      this.caption.replaceChildren(make('span', {}, this.title), ...keys, ...when);
      this.svg.setAttribute('aria-label', `${this.title}: ${
        keys.map((k) => k.textContent).join(', ')}`);
      const x = i < 0 ? 0 : this.x(at[i]);
      this.cursor.setAttribute('x1', x);
      this.cursor.setAttribute('x2', x);
      this.cursor.setAttribute('visibility', i < 0 ? 'hidden' : 'visible');
    }
  }

  const charts = [
    new Chart('chart-qps', [{key: 'qps', tone: 'a', area: true}], number),
    new Chart('chart-latency', [{key: 'p50_ms', tone: 'a', name: 'p50'},
      {key: 'p95_ms', tone: 'b', name: 'p95'},
      {key: 'p99_ms', tone: 'c', name: 'p99'}], milliseconds, {isLog: true}),
    new Chart('chart-hits', [{key: 'hit_percent', tone: 'a', area: true}],
      percent, {top: 100}),
    new Chart('chart-failures', [{key: 'failures_per_s', tone: 'd'}], number),
  ];

  // ---- the rest

  const showHead = (data) => {
    const words = data.draining ? 'ending' : data.ready ? 'ready' : 'not ready';
    find('pill').textContent = words;
    find('pill').className = `pill ${words === 'ready' ? 'good' : 'bad'}`;
    find('about').textContent = `${data.version}, up ${span(data.uptime_s)}, ${
      data.workers} worker${data.workers === 1 ? '' : 's'}`;
    document.title = `dotstub: ${words}`;
  };

  const showCards = (data) => {
    const {history, totals} = data;
    const cache = totals.cache_max_bytes
      ? [octets(totals.cache_bytes), `cache of ${octets(totals.cache_max_bytes)}`]
      : ['off', 'cache'];
    const cards = [
      [number(last(history.qps)), 'queries per second'],
      [percent(last(history.hit_percent)), 'from the cache'],
      [milliseconds(last(history.p50_ms)), 'p50 of the others'],
      [number(totals.queries), 'queries in all'],
      [number(totals.failures), 'failures in all'],
      [number(totals.in_flight), 'waiting now'],
      cache,
      [totals.resident_bytes ? octets(totals.resident_bytes) : '–', 'memory'],
    ];
    find('cards').replaceChildren(...cards.map(([value, name]) => make('div',
      {class: 'card'}, make('b', {}, value), make('span', {}, name))));
  };

  // One strip of states over the same span as the charts: runs of one state.
  const strip = (server, history, spanS) => {
    const at = history.at;
    const end = last(at) || 0;
    const svg = draw('svg', {viewBox: `0 0 ${spanS} 10`, role: 'img',
      preserveAspectRatio: 'none'});
    const states = [...server.states];
    let from = 0;
    states.forEach((state, i) => {
      if (i + 1 < states.length && states[i + 1] === state) {
        return;
      }
      const x1 = spanS - (end - (from ? at[from - 1] : at[0] - 10));
      const x2 = spanS - (end - at[i]);
      if (STATES[state]) {
        svg.append(draw('rect', {class: `state-${state}`, x: Math.max(0, x1),
          width: Math.max(0, x2 - Math.max(0, x1)), y: 0, height: 10}));
      }
      from = i + 1;
    });
    const upShare = states.filter((s) => s === 'u' || s === 'i').length
      / Math.max(1, states.filter((s) => STATES[s]).length);
    svg.setAttribute('aria-label', `${server.server}: well in ${
      percent(Math.round(upShare * 100))} of the samples`);
    return svg;
  };

  const serverCard = (server, history, spanS) => {
    const facts = [
      make('span', {class: `name-${server.state[0]}`}, server.state),
      ...(server.zone === '.' ? [] : [`zone ${server.zone}`]),
      `p50 ${milliseconds(server.p50_ms)}`,
      `p95 ${milliseconds(server.p95_ms)}`,
      server.plain ? 'plain' : server.tls || 'no handshake yet',
      `${server.connections} connection${server.connections === 1 ? '' : 's'}`,
      `${server.in_flight} in flight`,
      `${number(server.queries)} queries`,
      ...(server.handshakes
        ? [`${percent(100 * server.resumed / server.handshakes)} resumed`] : []),
    ].map((f) => (typeof f === 'string' ? make('span', {}, f) : f));
    const why = server.why && server.state !== 'up' && server.state !== 'idle'
      ? [make('p', {class: 'why'}, server.why)] : [];
    return make('div', {class: 'server'}, make('h3', {}, server.server),
      make('div', {class: 'facts'}, ...facts),
      strip(server, history, spanS), ...why);
  };

  const show = (data) => {
    find('plain').hidden = true;
    find('live').hidden = false;
    showHead(data);
    showCards(data);
    charts.forEach((c) => c.show(data.history, data.history_s));
    const spanS = shownSpan(data.history, data.history_s);
    find('servers').replaceChildren(
      ...data.servers.map((s) => serverCard(s, data.history, spanS)));
  };

  const refresh = async () => {
    try {
      const answer = await fetch('api/history.json', {cache: 'no-store',
        signal: AbortSignal.timeout(4000)});
      if (!answer.ok) {
        throw new Error(`status ${answer.status}`);
      }
      show(await answer.json());
    } catch (error) {
      find('pill').textContent = 'does not answer';
      find('pill').className = 'pill bad';
    }
    setTimeout(refresh, REFRESH_MS);
  };
  refresh();
})();
