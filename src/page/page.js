'use strict';
// Only what a page can do without: it shows times in the zone of the reader, and filters the table.
for (const time of document.querySelectorAll('time')) {
  const at = new Date(time.dateTime);
  const clock = { hour: '2-digit', minute: '2-digit' };
  const here = at.toLocaleString('en-GB', {
    weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', ...clock,
  });
  const utc = at.toLocaleString('en-GB', { ...clock, timeZone: 'UTC' });
  if (at.getTimezoneOffset() !== 0) time.textContent = `${here} (${utc} UTC)`;
}
const filter = document.getElementById('filter');
if (filter) {
  const rows = [...document.querySelectorAll('#nodes tbody tr')];
  const count = document.getElementById('filtered');
  filter.parentElement.hidden = false;
  filter.addEventListener('input', () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length}`;
  });
}
