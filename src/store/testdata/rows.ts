import type { Row } from '../index.ts'

export const dimensions = 32

/** The rows of a batch, the same whenever they are made; one of them replaces a row of every batch before. */
export function rowsOf(name: string, batch: number): Row[] {
  return Array.from({ length: 16 }, (_, i) => ({
    id: i === 0 ? `${name} latest` : `${name} ${batch}:${i}`,
    vector: Float32Array.from({ length: dimensions }, (_, d) =>
      Math.sin(1 + batch * 1.7 + i * 0.9 + d * (1 + (i % 5))),
    ),
    metadata: { batch, writer: name, [`by ${name}`]: i },
  }))
}

/** Rows whose ids are those of all writers, and whose metadata says who wrote them. */
export function sameRows(round: string, writer: string): Row[] {
  return Array.from({ length: 50 }, (_, i) => ({
    id: `${round}:${i}`,
    vector: new Float32Array(dimensions).fill(1 + i),
    metadata: { writer, [`by ${writer}`]: true },
  }))
}
