/* The map: the JSON of #map-data (page.c) is drawn on #points; what is found, hovered or chosen is
   marked on #marks above it, so that moving the pointer draws no point anew. */
'use strict';
(() => {
    const byId = id => document.getElementById(id);
    if (!byId('map-data'))
        return;
    const data = JSON.parse(byId('map-data').textContent);
    const count = data.name.length, SIDE = 10000, RAMP = 6, LISTED = 50, RINGED = 1000;
    const box = byId('canvas'), tip = byId('tip');
    const layers = {points: byId('points').getContext('2d'), marks: byId('marks').getContext('2d')};

    const view = {zoom: 1, left: 0, top: 0};    /* the part that is shown, of 0..SIDE */
    const state = {
        colour: data.groups.length ? 'group' : 'popularity',
        only: -1,                               /* the class chosen in the legend; -1: all */
        found: null,                            /* the points that match; null: no search */
        hovered: -1, chosen: -1,
    };

    /* ---- classes: what a point's colour says; by group, or by popularity in equal ratios ---- */

    const most = data.popularity.reduce((a, b) => Math.max(a, b), 1);
    const ratio = Math.log(most + 1) / RAMP;
    const byPopularity = data.popularity.map(
        p => Math.min(RAMP - 1, Math.floor(Math.log(p + 1) / ratio)));
    const least = step => Math.max(0, Math.ceil(Math.exp(step * ratio) - 1 - 1e-9));

    function classes() {
        if (state.colour === 'group')
            return {of: data.group, variable: 'group', names: data.groups};
        if (!data.popularity.length)
            return {of: new Uint8Array(count), variable: 'group', names: ['all']};
        const names = [];
        for (let i = 0; i < RAMP; i++)
            names.push(ratings(least(i), i === RAMP - 1 ? most : least(i + 1) - 1));
        return {of: byPopularity, variable: 'ramp', names};
    }

    const ratings = (low, high = low) =>
        low < high ? `${low} to ${high} ratings` : `${low} ${low === 1 ? 'rating' : 'ratings'}`;

    /* ---- drawing ---- */

    const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const side = () => box.clientWidth;
    const screenX = i => (data.x[i] - view.left) / SIDE * side() * view.zoom;
    const screenY = i => (data.y[i] - view.top) / SIDE * side() * view.zoom;
    const radius = () => {
        const whole = Math.max(1.2, 0.24 * side() / Math.sqrt(count));
        return Math.min(6, whole * Math.sqrt(view.zoom));
    };

    function clear(context) {
        const pixels = Math.round(side() * devicePixelRatio);
        context.canvas.width = context.canvas.height = pixels;
        context.setTransform(pixels / side(), 0, 0, pixels / side(), 0, 0);
    }

    function drawPoints() {
        const context = layers.points, r = radius(), {of, variable, names} = classes();
        clear(context);
        const isFound = new Uint8Array(count).fill(state.found ? 0 : 1);
        for (const i of state.found || [])
            isFound[i] = 1;
        for (const dim of [true, false])
            for (let k = 0; k < names.length; k++) {
                context.fillStyle = css(`--${variable}-${k}`);
                context.globalAlpha = dim ? 0.12 : 0.85;
                context.beginPath();
                for (let i = 0; i < count; i++) {
                    const isShown = isFound[i] === 1 && (state.only < 0 || state.only === k);
                    if (of[i] !== k || isShown === dim)
                        continue;
                    const x = screenX(i), y = screenY(i);
                    if (x < -r || y < -r || x > side() + r || y > side() + r)
                        continue;
                    context.moveTo(x + r, y);
                    context.arc(x, y, r, 0, 7);
                }
                context.fill();
            }
        drawMarks();
    }

    function ring(context, i, extra, width) {
        context.lineWidth = width;
        context.beginPath();
        context.arc(screenX(i), screenY(i), radius() + extra, 0, 7);
        context.stroke();
    }

    function drawMarks() {
        const context = layers.marks;
        clear(context);
        context.strokeStyle = css('--ink');
        if (state.found && state.found.length <= RINGED)
            for (const i of state.found)
                ring(context, i, 1.5, 1.25);
        const shown = state.hovered >= 0 ? state.hovered : state.chosen;
        if (shown >= 0)
            ring(context, shown, 3, 2.5);
        showTip(shown);
    }

    function showTip(i) {
        tip.hidden = i < 0;
        if (i < 0)
            return;
        const facts = [];
        if (data.group.length)
            facts.push(data.groups[data.group[i]]);
        if (data.popularity.length)
            facts.push(ratings(data.popularity[i]));
        const small = document.createElement('small');
        small.textContent = facts.join(', ');
        tip.replaceChildren(data.name[i], small);
        const x = screenX(i), y = screenY(i), gap = radius() + 8;
        const clamp = (v, room) => Math.max(4, Math.min(v, side() - room - 4));
        const top = y - gap - tip.offsetHeight;
        tip.style.left = `${clamp(x - tip.offsetWidth / 2, tip.offsetWidth)}px`;
        tip.style.top = `${clamp(top < 4 ? y + gap : top, tip.offsetHeight)}px`;
    }

    /* ---- legend ---- */

    function drawLegend() {
        const {of, variable, names} = classes();
        const totals = names.map(() => 0);
        for (let i = 0; i < count; i++)
            totals[of[i]]++;
        byId('legend').replaceChildren(...names.map((name, k) => {
            const item = document.createElement('li'), button = document.createElement('button');
            const dot = document.createElement('i'), total = document.createElement('small');
            dot.style.background = `var(--${variable}-${k})`;
            total.textContent = totals[k];
            button.type = 'button';
            button.setAttribute('aria-pressed', state.only === k);
            button.append(dot, name, total);
            button.addEventListener('click', () => {
                state.only = state.only === k ? -1 : k;
                byId('legend').querySelectorAll('button').forEach(
                    (b, j) => b.setAttribute('aria-pressed', state.only === j));
                drawPoints();
            });
            item.hidden = !totals[k];
            item.append(button);
            return item;
        }));
    }

    /* ---- search ---- */

    const plain = text => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
    let plainNames = null;

    function search() {
        const query = plain(byId('query').value.trim());
        plainNames = plainNames || data.name.map(plain);
        state.found = null;
        if (query) {
            state.found = [];
            for (let i = 0; i < count; i++)
                if (plainNames[i].includes(query))
                    state.found.push(i);
        }
        state.chosen = -1;
        const n = state.found ? state.found.length : 0, verb = n === 1 ? 'matches' : 'match';
        byId('found').value = state.found ? `${n} of ${count} ${verb}` : '';
        listMatches();
        drawPoints();
    }

    function listMatches() {
        const shown = (state.found || []).slice(0, LISTED);
        const items = shown.map(i => {
            const item = document.createElement('li'), button = document.createElement('button');
            button.type = 'button';
            button.textContent = data.name[i];
            button.addEventListener('click', () => choose(i, button));
            button.addEventListener('focus', () => choose(i, button));
            item.append(button);
            return item;
        });
        if (state.found && state.found.length > LISTED) {
            const more = document.createElement('li');
            more.textContent = `and ${state.found.length - LISTED} more`;
            items.push(more);
        }
        byId('matches').replaceChildren(...items);
    }

    function choose(i, button) {
        state.chosen = i;
        state.hovered = -1;
        for (const other of byId('matches').querySelectorAll('[aria-current]'))
            other.removeAttribute('aria-current');
        button.setAttribute('aria-current', 'true');
        if (screenX(i) < 0 || screenY(i) < 0 || screenX(i) > side() || screenY(i) > side())
            moveTo(data.x[i] - SIDE / view.zoom / 2, data.y[i] - SIDE / view.zoom / 2);
        else
            drawMarks();
    }

    /* ---- pointer and zoom ---- */

    function moveTo(left, top) {
        const room = SIDE - SIDE / view.zoom;
        view.left = Math.max(0, Math.min(room, left));
        view.top = Math.max(0, Math.min(room, top));
        box.classList.toggle('is-zoomed', view.zoom > 1);
        drawPoints();
    }

    /* By a factor; the place (x, y) on the screen stays where it is. */
    function zoomBy(factor, x = side() / 2, y = side() / 2) {
        const atX = view.left + x / side() * SIDE / view.zoom;
        const atY = view.top + y / side() * SIDE / view.zoom;
        view.zoom = Math.max(1, Math.min(40, view.zoom * factor));
        moveTo(atX - x / side() * SIDE / view.zoom, atY - y / side() * SIDE / view.zoom);
    }

    /* The shown point nearest to a place on the screen, within reach of a finger. */
    function nearest(x, y) {
        const {of} = classes();
        let best = -1, least = 20 * 20;
        for (let i = 0; i < count; i++) {
            if (state.only >= 0 && of[i] !== state.only)
                continue;
            const dx = screenX(i) - x, dy = screenY(i) - y, far = dx * dx + dy * dy;
            if (far < least) {
                least = far;
                best = i;
            }
        }
        return best;
    }

    let drag = null;                            /* where a drag began, and what was shown then */
    const place = event => {
        const at = box.getBoundingClientRect();
        return [event.clientX - at.left, event.clientY - at.top];
    };
    const hover = event => {
        const i = nearest(...place(event));
        if (i !== state.hovered) {
            state.hovered = i;
            drawMarks();
        }
    };
    const marks = byId('marks');
    marks.addEventListener('pointerdown', event => {
        drag = view.zoom > 1 ? {x: event.clientX, y: event.clientY, ...view} : null;
        hover(event);
    });
    marks.addEventListener('pointermove', event => {
        if (!drag || !event.buttons)
            return hover(event);
        const scale = SIDE / side() / view.zoom;
        moveTo(drag.left - (event.clientX - drag.x) * scale,
               drag.top - (event.clientY - drag.y) * scale);
    });
    marks.addEventListener('pointerup', () => { drag = null; });
    marks.addEventListener('pointerleave', event => {
        if (event.pointerType === 'touch')
            return;                             /* what a finger tapped stays marked */
        drag = null;
        state.hovered = -1;
        drawMarks();
    });
    marks.addEventListener('dblclick', event => zoomBy(2, ...place(event)));
    marks.addEventListener('wheel', event => {
        if (!event.ctrlKey)
            return;                             /* the page scrolls; a pinch has this key */
        event.preventDefault();
        zoomBy(Math.exp(-event.deltaY / 100), ...place(event));
    }, {passive: false});
    byId('zoom-in').addEventListener('click', () => zoomBy(1.6));
    byId('zoom-out').addEventListener('click', () => zoomBy(1 / 1.6));
    byId('zoom-all').addEventListener('click', () => zoomBy(0));

    /* ---- beginning ---- */

    byId('query').addEventListener('input', search);
    document.querySelector('.tools').addEventListener('submit', event => event.preventDefault());
    for (const input of document.querySelectorAll('[name=colour]'))
        input.addEventListener('change', () => {
            state.colour = input.value;
            state.only = -1;
            drawLegend();
            drawPoints();
        });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawPoints);
    new ResizeObserver(drawPoints).observe(box);
    drawLegend();
})();
