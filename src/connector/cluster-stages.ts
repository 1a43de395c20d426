import { type ClusterStages } from '../cluster/cluster-copy.ts'
import { channelsOf, troubleText } from '../observe/facts/channels.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { connectorFacts } from './connector-facts.ts'
import { type Tenure } from './tenure.ts'

/**
 * What a connector does on the orders of its cluster.
 *
 * @param signal ends the session with the platform, which only the copy that reads the stream has.
 */
export function clusterStages(
  tenure: Tenure,
  { loaded, clock, random, logger, limits }: RuntimeOptions,
  signal: AbortSignal,
): ClusterStages {
  const { assembly, reading, session, progress } = tenure
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
      const troubles = channelsOf(connectorFacts(tenure)).map((channel) => troubleText(channel))
      return troubles.find((trouble) => trouble !== undefined)
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
