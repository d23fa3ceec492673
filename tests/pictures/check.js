/* Put into a copy of the report page by tests/report.sh: plays a reader, and tells the frame around
   the page what is not as it should be. */
'use strict';
(() => {
    const failed = [];
    let checks = 0;
    const expect = (is, what) => { checks++; if (!is) failed.push(what); };
    addEventListener('error', event => failed.push(`error: ${event.message}`));
    addEventListener('unhandledrejection', event => failed.push(`error: ${event.reason}`));
    addEventListener('securitypolicyviolation', event => failed.push(`loads ${event.blockedURI}`));
    console.error = (...words) => failed.push(`console: ${words.join(' ')}`);

    const byId = id => document.getElementById(id);
    const all = selector => [...document.querySelectorAll(selector)];
    const pixels = id => {
        const {width, height} = byId(id);
        const copy =
            new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
        copy.drawImage(byId(id), 0, 0);
        return copy.getImageData(0, 0, width, height).data;
    };
    const ink = data => data.reduce((sum, v, i) => sum + (i % 4 === 3 ? v : 0), 0);
    const differ = (a, b) => a.length !== b.length || a.some((v, i) => v !== b[i]);
    const rgb = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
    const luminance = colour => rgb(colour)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (a, b) => {
        const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };

    function checkLayout(asked) {
        expect(innerWidth === asked.width, `is ${innerWidth} wide, not ${asked.width}`);
        const width = document.documentElement.scrollWidth;
        expect(width <= innerWidth, `scrolls sideways: ${width} in ${innerWidth}`);
        const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
        expect(isDark === (asked.scheme === 'dark'), `the scheme is not ${asked.scheme}`);
        const {color, backgroundColor} = getComputedStyle(document.body);
        expect((luminance(backgroundColor) < 0.2) === isDark, `the paper is ${backgroundColor}`);
        expect(contrast(color, backgroundColor) > 7, `${color} on ${backgroundColor}`);
        for (const text of all('p, small, h4, dt, .tick')) {
            const style = getComputedStyle(text), shade = text.matches('.tick') ? 'fill' : 'color';
            const ratio = contrast(style[shade], backgroundColor);
            expect(text.closest('.tip') || ratio > 4.5, `a contrast of ${ratio}`);
        }
    }

    function checkAccess() {
        expect(all('main, header, nav[aria-label]').length === 3, 'a landmark is missing');
        expect(all('section').length === 5, 'a section is missing');
        for (const section of all('section'))
            expect(byId(section.getAttribute('aria-labelledby')), 'a section has no heading');
        expect(all('[tabindex]').every(e => e.tabIndex <= 0), 'tab stops leave the reading order');
        for (const input of all('input'))
            expect(input.labels.length === 1, `${input.id || input.value} has no label`);
        for (const button of all('button'))
            expect(button.textContent.trim() || button.ariaLabel, 'a button has no name');
        for (const picture of all('[role=img]'))
            expect(picture.getAttribute('aria-label').length > 20, 'a picture has no description');
        expect(byId('found').getAttribute('aria-live') === 'polite', 'the count is not announced');
    }

    function point(type, i, data) {
        const at = byId('marks').getBoundingClientRect();
        byId('marks').dispatchEvent(new PointerEvent(type, {
            bubbles: true, pointerType: 'mouse', clientX: at.left + data.x[i] / 10000 * at.width,
            clientY: at.top + data.y[i] / 10000 * at.height}));
    }

    function checkHover(data) {
        const i = data.x.indexOf(Math.min(...data.x.slice(0, 5000))); /* at the edge, alone */
        expect(byId('tip').hidden, 'a tip is shown before anything is pointed at');
        point('pointermove', i, data);
        expect(!byId('tip').hidden, 'no tip');
        expect(byId('tip').textContent.includes(data.name[i]), `tip: ${byId('tip').textContent}`);
        const group = data.groups[data.group[i]];
        expect(byId('tip').textContent.includes(group), 'the tip has no group');
        expect(pixels('marks').some(v => v), 'the point is not marked');
        const [tip, box] = ['tip', 'canvas'].map(id => byId(id).getBoundingClientRect());
        expect(tip.left >= box.left && tip.right <= box.right && tip.top >= box.top, 'it is cut');
        point('pointerleave', i, data);
        expect(byId('tip').hidden && !pixels('marks').some(v => v), 'the tip stays');
    }

    function find(text) {
        byId('query').value = text;
        byId('query').dispatchEvent(new Event('input', {bubbles: true}));
    }

    function expectCount(n, data) {
        const said = `${n} of ${data.name.length} ${n === 1 ? 'matches' : 'match'}`;
        expect(byId('found').value === said, `found: ${byId('found').value}, not ${said}`);
        expect(all('#matches button').length === Math.min(50, n), 'the list is not that long');
    }

    function checkSearch(data) {
        const before = pixels('points');
        const expected = data.name.filter(name => name.includes('Café of Lisbon')).length;
        find(' cafe OF lisbon');                /* without the accent, in any case */
        expect(expected > 5, 'too few to find');
        expectCount(expected, data);
        expect(ink(pixels('points')) < ink(before) / 2, 'the others are not dimmed');
        expect(pixels('marks').some(v => v), 'the matches are not marked');
        const first = document.querySelector('#matches button');
        first.focus();
        expect(document.activeElement === first, 'a match cannot be reached by keyboard');
        expect(byId('tip').textContent.includes(first.textContent), 'the match is not shown');
        find('\u003c/script>');
        expectCount(1, data);
        find('no such name');
        expectCount(0, data);
        find('');
        expect(byId('found').value === '' && !all('#matches li').length, 'the search is not ended');
        expect(!differ(before, pixels('points')), 'the map is not as before');
    }

    function checkColours() {
        const before = pixels('points');
        expect(all('#legend button').length === 10, 'not every genre is in the legend');
        all('[name=colour]')[1].click();
        expect(all('#legend button').length === 6, 'no legend of popularity');
        expect(differ(before, pixels('points')), 'popularity has the same colours');
        all('[name=colour]')[0].click();
        expect(!differ(before, pixels('points')), 'the colours do not come back');
        const button = document.querySelector('#legend button');
        button.click();
        expect(button.getAttribute('aria-pressed') === 'true', 'a genre cannot be chosen');
        expect(differ(before, pixels('points')), 'a chosen genre looks the same');
        button.click();
        byId('zoom-in').click();
        expect(differ(before, pixels('points')), 'zoom does nothing');
        byId('zoom-all').click();
        expect(!differ(before, pixels('points')), 'zoom has no way back');
    }

    addEventListener('message', event => {
        const data = JSON.parse(byId('map-data').textContent);
        try {
            expect(document.title === 'ncf on ratings.csv', `the title is ${document.title}`);
            expect(data.name[2] === 'Amélie et la forêt', `Latin-1: ${data.name[2]}`);
            expect(!performance.getEntriesByType('resource').length, 'something was loaded');
            checkLayout(event.data);
            checkAccess();
            checkHover(data);
            checkSearch(data);
            checkColours();
            checkLayout(event.data);
        } catch (error) {
            failed.push(error.stack);
        }
        parent.postMessage({failed, checks}, '*');
    });
})();
