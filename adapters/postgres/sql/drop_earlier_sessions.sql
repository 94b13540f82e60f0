DO $$ BEGIN  -- drops a table of an earlier shape: everybody signs in again
    IF NOT EXISTS (
        SELECT FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'sessions' AND column_name = 'proven'
    ) THEN
        DROP TABLE IF EXISTS sessions;
    END IF;
END $$;
