geo_id,type,coordinates
7,Point,"[-118.4, 34.2]"
