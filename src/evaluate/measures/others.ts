// The nearest neighbours of vectors among each other.
import { semanticSearch } from '../../embed/index.ts'
import type { Matrix, Neighbor } from '../../tensor/index.ts'

/** See `nearestOthers` in ../onDemand.ts. */
export async function nearestOthers(matrix: Matrix, k: number, signal?: AbortSignal): Promise<Neighbor[][]> {
  const found = await semanticSearch(matrix, matrix, { k: k + 1, ...(signal && { signal }) })
  // Among equals the vector itself need not be there.
  return found.map((neighbors, row) => neighbors.filter(({ index }) => index !== row).slice(0, k))
}
