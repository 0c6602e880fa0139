/** Who offers what in a mesh of many nodes. The same numbers always give the same plan. */

export interface MeshOptions {
  nodes: number
  processes: number
  /** Of each node. */
  agentsPerNode: number
  domains: number
  /** Of each capability. */
  providers: number
}

/** The capability of agent `i`: those that follow each other offer the same, and sit on different nodes. */
export function capabilityOf (i: number, { nodes, agentsPerNode, domains, providers }: MeshOptions): string {
  const capabilities = Math.max(1, Math.floor(nodes * agentsPerNode / providers))
  const capability = Math.floor(i / providers) % capabilities
  return `d${capability % Math.min(domains, capabilities)}.work.c${capability}`
}

/** Agents of node `n`: as many as there are nodes apart. */
export const agentsOf = (n: number, { nodes, agentsPerNode }: MeshOptions): number[] => Array.from({ length: agentsPerNode }, (_, k) => n + k * nodes)
