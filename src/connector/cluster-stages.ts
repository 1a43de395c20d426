import { type ClusterStages } from '../cluster/cluster-copy.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { type Tenure } from './tenure.ts'

/**
 * What a connector does on the orders of its cluster.
 *
 * @param signal ends the session with the platform, which only the copy that reads the stream has.
 */
export function clusterStages(
  { assembly, reading, session, progress }: Tenure,
  { loaded, clock, random, logger, limits }: RuntimeOptions,
  signal: AbortSignal,
): ClusterStages {
  const { pipeline, room, engine, checkpointer, uncleanShutdown, inFlight, counters } = assembly
  return {
    pipeline,
    room,
    engine,
    checkpointer,
    progress,
    uncleanShutdown,
    bounds: inFlight.bounds,
    listenDelete: loaded.settings.connector.live_stream_listen_delete,
    limits,
    counts: () => counters.snapshot(),
    outage: () => {
      const { outage, refusal } = engine.troubleOf()
      return outage ?? refusal
    },
    prepare: async (over, beforeAnew) => {
      await reading.prepare(over, beforeAnew)
      await reading.untilReadable(over)
    },
    read: (relay, roomForMore) => {
      reading.begin(assembly.handingOver(relay, roomForMore))
      void session.run(signal)
    },
    clock,
    random,
    logger,
  }
}
