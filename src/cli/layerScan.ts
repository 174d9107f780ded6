// The layers of a model on a task, as a table.
import type { Evaluation, LayerScan } from '../evaluate/index.ts'
import { megabytes } from './progress.ts'
import { table } from './table.ts'

/** A row for each layer in the order of depth, the best marked, and a line that holds it against the default. */
export function scanTable(scan: LayerScan): string {
  const { layers, best, default: own, left, passes } = scan
  const [first] = layers
  const shown = Object.keys(first!.measures).filter((name) => name !== first!.main.measure)
  const rows = layers.map(({ layer, depth, main, measures, model, cost, isDefault }, i) => [
    `${i === best ? '★' : ' '}${isDefault ? ' default' : ''}`,
    `${(100 * depth).toFixed(0)} %`,
    layer,
    withInterval(main),
    ...shown.map((name) => measures[name]?.toFixed(4) ?? ''),
    `${model.dimensions}`,
    `${cost.bytesPerVector} B`,
  ])
  const right = (heading: string) => ({ heading, align: 'right' as const })
  const columns = [
    { heading: '' },
    right('depth'),
    { heading: 'layer' },
    right(first!.main.measure),
    ...shown.map(right),
    right('numbers'),
    right('vector'),
  ]
  const { task, model, cost } = first!
  const runs = passes === 1 ? 'one run of the model' : `${passes} runs of the model`
  const constant =
    left.length > 0 ? `; nothing to measure in ${left.map(({ layer }) => layer).join(', ')}` : ''
  return [
    `${model.name} on ${task.name}: ${task.kind} of ${task.rows} rows`,
    table(columns, rows),
    `${layers.length} layers by ${runs}: ${cost.perSecond.toFixed(0)}/s, ${megabytes(cost.memory)}${constant}`,
    verdict(scan, own),
  ].join('\n')
}

function verdict({ layers, best }: LayerScan, own: number | undefined): string {
  const top = layers[best]!
  const line = `best: ${top.layer}, ${top.main.measure} ${withInterval(top.main)} (--tap ${top.layer})`
  if (own === undefined) return line
  if (own === best) return `${line}, which is the default`
  const usual = layers[own]!
  const place = 1 + layers.filter(({ main }) => main.value > usual.main.value).length
  return `${line}\ndefault: ${usual.layer}, ${withInterval(usual.main)}, number ${place} of ${layers.length}`
}

/** A measure with its interval, where it has one. */
export function withInterval({ value, interval }: Evaluation['main']): string {
  if (!interval) return value.toFixed(4)
  return `${value.toFixed(4)} (${interval.low.toFixed(4)} to ${interval.high.toFixed(4)})`
}
