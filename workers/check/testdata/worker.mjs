import { serve } from "../../node/respawn.mjs";

serve();
