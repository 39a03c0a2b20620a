/** How a log line looks: as a row, and opened. */

import { h } from './dom.js';
import { clock, dateTime } from './format.js';
import { cell } from './list.js';
import { service } from './parts.js';
import { href } from './route.js';

/** @typedef {import('./api.js').Log} Log */

/** @type {[string, string][]} */
export const COLUMNS = [
  ['time', 'Time'],
  ['level', 'Level'],
  ['name', 'Service'],
  ['message', 'Message'],
  ['to', 'Trace'],
];

/** Of a long message only the beginning can be in sight. */
const IN_ROW = 600;

/**
 * @param {Log} log
 * @param {import('./colours.js').Colours} colours
 * @param {boolean} linked whether to offer the way to its trace
 */
export function cells(log, colours, linked) {
  return [
    cell('time', clock(log.time)),
    cell(levelClass(log), log.level || '–'),
    cell('name', service(colours, log.service || log.source)),
    cell('message', log.message.slice(0, IN_ROW)),
    cell('to', linked && log.trace && h('a', { href: toTrace(log), 'aria-label': `Trace of this line, ${log.trace}` }, 'trace')),
  ];
}

/**
 * @param {Log} log
 * @param {import('./details.js').Details} details
 * @param {import('./colours.js').Colours} colours
 */
export function opened(log, details, colours) {
  return [
    h(
      'p',
      { class: 'pane-line' },
      h('span', { class: levelClass(log) }, log.level || 'no level'),
      service(colours, log.service || log.source),
      h('span', { class: 'muted' }, dateTime(log.time)),
    ),
    log.trace && h('p', null, h('a', { class: 'button', href: toTrace(log) }, 'Open its trace')),
    details.table('Message', [['', log.message]]),
    details.table('Attributes', log.attributes),
    details.table('Origin', [
      ...known({ source: log.source, env: log.env, protocol: log.protocol, 'trace id': log.trace, 'span id': log.span }),
      ...log.resourceAttributes,
    ]),
  ];
}

/** The class of the row of a line that tells of a failure. @param {Log} log */
export function failed(log) {
  return log.level === 'error' || log.level === 'fatal' ? 'failed' : '';
}

/** @param {Log} log */
export function levelClass(log) {
  return `level ${['error', 'fatal', 'warn', 'info'].includes(log.level) ? log.level : 'low'}`;
}

/** Only what is there. @param {Record<string, string>} facts */
export function known(facts) {
  return Object.entries(facts).filter(([, value]) => value !== '');
}

/** @param {Log} log */
function toTrace(log) {
  return href('trace', [log.trace], { span: log.span });
}
