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
        const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
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
            const style = getComputedStyle(text);
            const shade = text.closest('.tip') ? null : text.matches('.tick') ? style.fill : style.color;
            expect(!shade || contrast(shade, backgroundColor) > 4.5, `${shade} is too faint`);
        }
    }

    function checkAccess() {
        expect(all('main, header, nav[aria-label]').length === 3, 'a landmark is missing');
        expect(all('section').length === 5, 'a section is missing');
        for (const section of all('section'))
            expect(byId(section.getAttribute('aria-labelledby')), 'a section has no heading');
        expect(all('[tabindex]').every(e => e.tabIndex <= 0), 'the order of tab stops is not the reading order');
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
        expect(byId('tip').textContent.includes(data.groups[data.group[i]]), 'the tip has no group');
        expect(pixels('marks').some(v => v), 'the point is not marked');
        const tip = byId('tip').getBoundingClientRect(), box = byId('canvas').getBoundingClientRect();
        expect(tip.left >= box.left && tip.right <= box.right && tip.top >= box.top, 'the tip is cut');
        point('pointerleave', i, data);
        expect(byId('tip').hidden && !pixels('marks').some(v => v), 'the tip stays');
    }

    function find(text) {
        byId('query').value = text;
        byId('query').dispatchEvent(new Event('input', {bubbles: true}));
    }

    function checkSearch(data) {
        const before = pixels('points');
        const expected = data.name.filter(name => name.includes('Café of Lisbon')).length;
        find(' cafe OF lisbon');                /* without the accent, in any case */
        expect(byId('found').value === `${expected} of ${data.name.length} match`, `found: ${byId('found').value}`);
        expect(all('#matches button').length === Math.min(50, expected), 'the list is not that long');
        expect(ink(pixels('points')) < ink(before) / 2, 'the others are not dimmed');
        expect(pixels('marks').some(v => v), 'the matches are not marked');
        const first = document.querySelector('#matches button');
        first.focus();
        expect(document.activeElement === first, 'a match cannot be reached by keyboard');
        expect(byId('tip').textContent.includes(first.textContent), 'the match is not shown');
        find('\u003c/script>');
        expect(byId('found').value === `1 of ${data.name.length} matches`, `found: ${byId('found').value}`);
        find('no such name');
        expect(byId('found').value === `0 of ${data.name.length} match`, `found: ${byId('found').value}`);
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
            expect(document.documentElement.scrollWidth <= innerWidth, 'scrolls sideways after use');
        } catch (error) {
            failed.push(error.stack);
        }
        parent.postMessage({failed, checks}, '*');
    });
})();
