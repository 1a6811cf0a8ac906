geo_id,type,coordinates
7,Point,"[-118.4, 34.2]"
9,Point,"[-118.1, 34.0]"
