// Settings of a search: collections side by side, conditions, and how many hits.
import { counted, element } from '../dom.ts'
import type { Field, Listed } from './api.ts'
import { counts, type State, type Test, tests, type Where } from './state.ts'

/** Called with the part of the state that was changed. */
export type Change = (change: Partial<State>) => void

/** The collections, each of which a column can be had of. */
export function picker(listed: readonly Listed[], from: readonly string[], change: Change): HTMLElement {
  return element(
    'fieldset',
    { class: 'picker' },
    element('legend', { text: 'Look in' }),
    ...listed.map(({ name, rows, model, tap, pool }) =>
      element(
        'label',
        { title: [model, ...tap, pool].filter(Boolean).join(' · ') },
        element('input', {
          type: 'checkbox',
          value: name,
          checked: from.includes(name),
          on: {
            change: ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
              const { checked } = currentTarget
              change({ from: checked ? [...from, name] : from.filter((other) => other !== name) })
            },
          },
        }),
        element('span', { text: name }),
        element('small', { text: rows.toLocaleString('en'), 'aria-label': counted(rows, 'row') }),
      ),
    ),
  )
}

/** Conditions on fields, and the other options, behind one summary. */
export function options(
  state: State,
  fields: readonly Field[],
  isOpen: boolean,
  change: Change,
): HTMLDetailsElement {
  const { where, k, hybrid, single } = state
  const active = where.length + Number(hybrid) + Number(single) + Number(k !== counts[0])
  const check = (
    label: string,
    checked: boolean,
    told: (checked: boolean) => Partial<State>,
    title: string,
  ) =>
    element(
      'label',
      { title },
      element('input', {
        type: 'checkbox',
        checked,
        on: {
          change: ({ currentTarget }: { currentTarget: HTMLInputElement }) =>
            change(told(currentTarget.checked)),
        },
      }),
      element('span', { text: label }),
    )
  return element(
    'details',
    { class: 'options', open: isOpen },
    element('summary', { text: active === 0 ? 'Filters' : `Filters (${active})` }),
    element(
      'div',
      { class: 'row' },
      check(
        'Also the words themselves',
        hybrid,
        (on) => ({ hybrid: on }),
        'Joins the search by meaning with one by words',
      ),
      check('One hit a file', single, (on) => ({ single: on }), 'Of each file only its nearest passage'),
      element(
        'label',
        {},
        element('span', { text: 'Hits' }),
        element(
          'select',
          {
            on: {
              change: ({ currentTarget }: { currentTarget: HTMLSelectElement }) =>
                change({ k: Number(currentTarget.value) }),
            },
          },
          ...counts.map((count) =>
            element('option', { value: count, selected: count === k, text: `${count}` }),
          ),
        ),
      ),
    ),
    where.length === 0
      ? undefined
      : element(
          'ul',
          { class: 'conditions', 'aria-label': 'Conditions' },
          ...where.map((condition) =>
            element(
              'li',
              {},
              element('span', { text: said(condition) }),
              element('button', {
                type: 'button',
                'aria-label': `Remove: ${said(condition)}`,
                text: '×',
                on: { click: () => change({ where: where.filter((other) => other !== condition) }) },
              }),
            ),
          ),
        ),
    fields.length === 0 ? undefined : condition(fields, where, change),
  )
}

/** A condition in words. */
export const said = ({ field, test, value }: Where): string =>
  `${field} ${tests[test]} ${typeof value === 'string' ? `“${value}”` : value}`

/** Fields that only indexing itself reads. */
const unsaid = new Set(['by', 'sha256', 'reading'])

const textTests: readonly Test[] = ['contains', 'eq', 'ne', 'startsWith']
const numberTests: readonly Test[] = ['gte', 'lte', 'eq', 'ne']

/** A form for one more condition. */
function condition(fields: readonly Field[], where: readonly Where[], change: Change): HTMLFormElement {
  const field = element(
    'select',
    { 'aria-label': 'Field' },
    ...fields
      .filter(({ name }) => !unsaid.has(name))
      .map(({ name }) => element('option', { value: name, text: name })),
  )
  const test = element('select', { 'aria-label': 'Comparison' })
  const value = element('input', { 'aria-label': 'Value', placeholder: 'value', required: true, size: 14 })
  const typesOf = () => fields.find(({ name }) => name === field.value)?.types ?? []
  const offer = () => {
    const types = typesOf()
    const isNumber = types.length === 1 && types[0] === 'number'
    const offered =
      types.length === 1 && types[0] === 'boolean'
        ? (['eq', 'ne'] as const)
        : isNumber
          ? numberTests
          : textTests
    test.replaceChildren(...offered.map((name) => element('option', { value: name, text: tests[name] })))
    value.inputMode = isNumber ? 'decimal' : 'text'
  }
  field.addEventListener('change', offer)
  offer()
  return element(
    'form',
    {
      class: 'row condition',
      'aria-label': 'A further condition',
      on: {
        submit: (event: Event) => {
          event.preventDefault()
          const read = readValue(value.value.trim(), typesOf())
          value.setCustomValidity(read === undefined ? `${field.value} is a ${typesOf().join(' or ')}.` : '')
          if (read === undefined) {
            value.reportValidity()
            return
          }
          const added = { field: field.value, test: test.value as Test, value: read }
          const others = where.filter((other) => other.field !== added.field || other.test !== added.test)
          change({ where: [...others, added] })
        },
        input: () => value.setCustomValidity(''),
      },
    },
    field,
    test,
    value,
    element('button', { type: 'submit', text: 'Add' }),
  )
}

/** A value of one of the types; undefined for a text that is none of them. */
function readValue(text: string, types: Field['types']): Where['value'] | undefined {
  if (types.includes('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  if (types.includes('number') && text !== '' && Number.isFinite(Number(text))) return Number(text)
  return types.includes('string') || types.length === 0 ? text : undefined
}
